package homeassistant

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Render evaluates a template for a payload as Home Assistant does, as far as
// discovery of cameras uses the language (Jinja): {% set %}, then one {{ }}. It
// knows choices, comparisons, joined texts, lists, and a few filters. "None" is
// what a null becomes.
func Render(template string, payload []byte) (string, error) {
	if template == "" {
		return string(payload), nil
	}
	vars := map[string]any{"value": string(payload), "none": nil, "true": true, "false": false}
	var v any
	if json.Unmarshal(payload, &v) == nil {
		vars["value_json"] = v
	}
	rest := template
	for {
		m := setForm.FindStringSubmatch(rest)
		if m == nil {
			break
		}
		x, err := evaluate(m[2], vars)
		if err != nil {
			return "", fmt.Errorf("template %s: %w", template, err)
		}
		vars[m[1]] = x
		rest = rest[len(m[0]):]
	}
	m := exprForm.FindStringSubmatch(rest)
	if m == nil {
		return "", fmt.Errorf("template %s: want one {{ }}", template)
	}
	x, err := evaluate(m[1], vars)
	if err != nil {
		return "", fmt.Errorf("template %s for %.200q: %w", template, payload, err)
	}
	return words(x), nil
}

var (
	setForm   = regexp.MustCompile(`^{% set (\w+) = (.+?) %}`)
	exprForm  = regexp.MustCompile(`^{{ (.+) }}$`)
	tokenForm = regexp.MustCompile(`^\s*('[^']*'|\d+(?:\.\d+)?|\w+|<=|>=|==|!=|[.,|()\[\]{}~/*+<>=-])`)
)

// undefined is what a key that is not there gives: usable only in default.
type undefined struct{ what string }

// words is how a value is written.
func words(x any) string {
	switch x := x.(type) {
	case nil:
		return "None"
	case undefined:
		return ""
	case bool:
		return map[bool]string{true: "True", false: "False"}[x]
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case string:
		return x
	}
	b, err := json.Marshal(x)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func truth(x any) bool {
	switch x := x.(type) {
	case nil, undefined:
		return false
	case bool:
		return x
	case float64:
		return x != 0
	case string:
		return x != ""
	case []any:
		return len(x) > 0
	case map[string]any:
		return len(x) > 0
	}
	return true
}

// parser evaluates while it reads.
type parser struct {
	tokens []string
	vars   map[string]any
}

func evaluate(s string, vars map[string]any) (x any, err error) {
	p := &parser{vars: vars}
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		m := tokenForm.FindStringSubmatch(s)
		if m == nil {
			return nil, fmt.Errorf("cannot read %q", s)
		}
		p.tokens = append(p.tokens, m[1])
		s = s[len(m[0]):]
	}
	x, err = p.choice()
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("left over: %q", p.tokens)
	}
	return x, err
}

func (p *parser) peek() string {
	if len(p.tokens) == 0 {
		return ""
	}
	return p.tokens[0]
}

// take reads a token if it is the next.
func (p *parser) take(token string) bool {
	if p.peek() != token || token == "" {
		return false
	}
	p.tokens = p.tokens[1:]
	return true
}

func (p *parser) want(token string) error {
	if !p.take(token) {
		return fmt.Errorf("want %q before %q", token, p.tokens)
	}
	return nil
}

// choice is: A if B else C.
func (p *parser) choice() (any, error) {
	yes, err := p.either()
	if err != nil || !p.take("if") {
		return yes, err
	}
	is, err := p.either()
	if err != nil {
		return nil, err
	}
	if err := p.want("else"); err != nil {
		return nil, err
	}
	no, err := p.choice()
	if truth(is) {
		return yes, err
	}
	return no, err
}

// either is: A or B.
func (p *parser) either() (any, error) {
	x, err := p.comparison()
	for err == nil && p.take("or") {
		var y any
		if y, err = p.comparison(); !truth(x) {
			x = y
		}
	}
	return x, err
}

// comparison is A == B, A in B, or A <= B <= C.
func (p *parser) comparison() (any, error) {
	x, err := p.joined()
	result, compared := true, false
	for err == nil {
		op := p.peek()
		if op != "==" && op != "<=" && op != ">=" && op != "in" {
			break
		}
		p.take(op)
		var y any
		if y, err = p.joined(); err != nil {
			break
		}
		var is bool
		is, err = compare(x, op, y)
		result, compared, x = result && is, true, y
	}
	if compared {
		return result, err
	}
	return x, err
}

func compare(x any, op string, y any) (bool, error) {
	a, xok := x.(float64)
	b, yok := y.(float64)
	switch {
	case op == "==":
		return x == y, nil
	case op == "in":
		list, ok := y.([]any)
		if !ok {
			return false, fmt.Errorf("%v is no list", y)
		}
		for _, e := range list {
			if e == x {
				return true, nil
			}
		}
		return false, nil
	case !xok || !yok:
		return false, fmt.Errorf("cannot compare %v %s %v", x, op, y)
	case op == "<=":
		return a <= b, nil
	}
	return a >= b, nil
}

// joined is: A ~ B, or A / B.
func (p *parser) joined() (any, error) {
	x, err := p.filtered()
	for err == nil {
		switch {
		case p.take("~"):
			var y any
			y, err = p.filtered()
			x = words(x) + words(y)
		case p.take("/"):
			var y any
			y, err = p.filtered()
			a, ok1 := x.(float64)
			b, ok2 := y.(float64)
			if err == nil && (!ok1 || !ok2 || b == 0) {
				err = fmt.Errorf("cannot divide %v by %v", x, y)
			}
			x = a / b
		default:
			return x, nil
		}
	}
	return x, err
}

// filtered is: A | name(arguments).
func (p *parser) filtered() (any, error) {
	x, err := p.simple()
	for err == nil && p.take("|") {
		name := p.peek()
		p.take(name)
		var args []any
		if p.take("(") {
			if args, err = p.list(")"); err != nil {
				return nil, err
			}
		}
		x, err = filter(x, name, args)
	}
	return x, err
}

func filter(x any, name string, args []any) (any, error) {
	switch name {
	case "default":
		_, missing := x.(undefined)
		if missing || len(args) == 2 && truth(args[1]) && !truth(x) {
			return args[0], nil
		}
		return x, nil
	case "int":
		f, err := strconv.ParseFloat(words(x), 64)
		return math.Trunc(f), err
	case "to_json":
		b, err := json.Marshal(x)
		return string(b), err
	}
	return nil, fmt.Errorf("filter %q is not known to exist", name)
}

// list reads values up to its end.
func (p *parser) list(end string) ([]any, error) {
	all := []any{}
	for !p.take(end) {
		x, err := p.choice()
		if err != nil {
			return nil, err
		}
		all = append(all, x)
		if !p.take(",") && p.peek() != end {
			return nil, fmt.Errorf("want , or %q before %q", end, p.tokens)
		}
	}
	return all, nil
}

// dict is, after its bracket: a dictionary to copy if there is one, then
// name=value pairs.
func (p *parser) dict() (any, error) {
	d := map[string]any{}
	for !p.take(")") {
		key := ""
		if len(p.tokens) > 1 && p.tokens[1] == "=" {
			key, p.tokens = p.tokens[0], p.tokens[2:]
		}
		x, err := p.choice()
		if err != nil {
			return nil, err
		}
		from, ok := x.(map[string]any)
		switch {
		case key != "":
			d[key] = x
		case !ok:
			return nil, fmt.Errorf("dict of %v", x)
		default:
			maps.Copy(d, from)
		}
		if !p.take(",") && p.peek() != ")" {
			return nil, fmt.Errorf("want , or ) before %q", p.tokens)
		}
	}
	return d, nil
}

func (p *parser) simple() (any, error) {
	t := p.peek()
	p.take(t)
	switch {
	case t == "":
		return nil, errors.New("ends too early")
	case t == "(":
		x, err := p.choice()
		if err != nil {
			return nil, err
		}
		return x, p.want(")")
	case t == "[":
		return p.list("]")
	case t == "{":
		return map[string]any{}, p.want("}")
	case t == "dict" && p.take("("):
		return p.dict()
	case t[0] == '\'':
		return strings.Trim(t, "'"), nil
	case t[0] >= '0' && t[0] <= '9':
		return strconv.ParseFloat(t, 64)
	}
	x, ok := p.vars[t]
	if !ok {
		x = undefined{t}
	}
	for p.take(".") {
		key := p.peek()
		p.take(key)
		m, ok := x.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s has no keys: is %v", t, x)
		}
		if x, ok = m[key]; !ok {
			x = undefined{key}
		}
	}
	return x, nil
}
