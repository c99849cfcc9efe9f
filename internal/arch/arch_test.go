package arch

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "camqtt"

// TestMain runs the tests in the root of the module, where their paths begin.
func TestMain(m *testing.M) {
	if err := os.Chdir("../.."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// imports is the map of the house: what each package may import of this module.
// Package wire is pure, so everybody may import it.
var imports = map[string][]string{
	"":                               {"internal/cli"},
	"node":                           {"internal/wire", "internal/jpeg", "node/camera", "node/camera/shrink"},
	"node/camera/shrink":             {"internal/jpeg"},
	"node/camera":                    {"internal/mdns", "internal/redact", "internal/jpeg", "internal/cert", "node/camera/v4l2", "node/camera/board"},
	"node/camera/v4l2":               {},
	"node/camera/push":               {"internal/jpeg", "node/camera"},
	"node/camera/vmtest":             {},
	"node/camera/vmtest/boot":        {},
	"node/camera/vmtest/webcam":      {},
	"broker":                         {"internal/wire", "internal/access", "internal/ratelog", "broker/internal/messagestore"},
	"dashboard":                      {"internal/ratelog", "internal/wire", "internal/access", "internal/mqttclient", "internal/viewer", "internal/jpeg", "internal/strictjson", "internal/inuse", "internal/private", "internal/secret"},
	"broker/internal/messagestore":   {"internal/private", "internal/datadir", "internal/atomicfile"},
	"internal/wire":                  {},
	"internal/access":                {"internal/wire", "internal/private", "internal/ratelog", "internal/strictjson", "internal/datadir"},
	"internal/mdns":                  {},
	"internal/brokerurl":             {"internal/redact"},
	"internal/mqttclient":            {"internal/mdns", "internal/brokerurl", "internal/wire", "internal/cert"},
	"internal/diskspace":             {},
	"internal/memlimit":              {},
	"internal/inuse":                 {"internal/wire", "internal/private"},
	"internal/datadir":               {"internal/private"},
	"internal/strictjson":            {},
	"internal/viewer":                {"internal/wire", "internal/mqttclient", "internal/jpeg"},
	"internal/config":                {"internal/brokerurl", "internal/redact", "internal/wire", "internal/cert", "internal/secret"},
	"internal/cert":                  {"internal/secret", "internal/private"},
	"internal/ratelog":               {},
	"internal/redact":                {},
	"internal/secret":                {},
	"internal/jpeg":                  {},
	"internal/homeassistant":         {"internal/wire"},
	"internal/run":                   {},
	"internal/journal":               {},
	"internal/testkit":               {"internal/wire", "internal/jpeg", "internal/mqttclient", "node/camera"},
	"internal/cli":                   {"internal/brokerurl", "internal/redact", "node", "node/camera", "node/camera/push", "broker", "dashboard", "internal/wire", "internal/access", "internal/mqttclient", "internal/viewer", "internal/config", "internal/jpeg", "internal/homeassistant", "internal/run", "internal/journal", "internal/cert", "internal/secret", "internal/homeassistant/announce", "internal/brokeracl", "internal/enrol", "internal/private", "internal/memo", "internal/inuse", "internal/memlimit", "internal/diskspace", "internal/atomicfile", "internal/datadir"},
	"internal/testkit/faketime":      {},
	"internal/testkit/homeassistant": {"internal/wire", "internal/testkit"},
	"internal/testkit/rights":        {"internal/wire", "internal/access"},
	"internal/brokeracl":             {"internal/wire", "internal/access"},
	"node/camera/board":              {},
	"internal/atomicfile":            {},
	"internal/private":               {"internal/atomicfile"},
	"internal/memo":                  {"internal/wire", "internal/private"},
	"internal/enrol":                 {"internal/mdns", "internal/wire", "internal/access", "internal/cert", "internal/private", "internal/ratelog", "internal/secret", "internal/strictjson"},

	"internal/homeassistant/announce": {"internal/wire", "internal/homeassistant"},
}

// doors names, for each library, the one package that may import it, with the
// packages inside it; a WebSocket has two ends.
var doors = map[string]string{
	"github.com/eclipse/paho.mqtt.golang":   "internal/mqttclient",
	"github.com/eclipse/paho.golang":        "internal/mqttclient",
	"github.com/mochi-mqtt/server/v2":       "broker",
	"github.com/gorilla/websocket":          "dashboard internal/mqttclient",
	"github.com/prometheus/client_golang":   "dashboard",
	"github.com/spf13/viper":                "internal/config",
	"go.yaml.in/yaml/v3":                    "internal/config",
	"github.com/go-viper/mapstructure/v2":   "internal/config",
	"github.com/spf13/cobra":                "internal/cli",
	"github.com/coreos/go-systemd/v22":      "internal/run",
	"github.com/chromedp/chromedp":          "internal/testkit",
	"github.com/chromedp/cdproto":           "internal/testkit",
	"github.com/icholy/digest":              "node/camera",
	"github.com/mattn/go-shellwords":        "node/camera",
	"golang.org/x/crypto/acme":              "internal/cert",
	"golang.org/x/net":                      "internal/mdns",
	"golang.org/x/sys":                      "node/camera",
	"golang.org/x/image":                    "node/camera",
	"golang.org/x/crypto/argon2":            "internal/access",
	"github.com/KimMachineGun/automemlimit": "internal/memlimit",
	"rsc.io/qr":                             "internal/enrol",
}

type listed struct {
	ImportPath string
	GoFiles    []string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,GoFiles,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// TestArchitecture holds the imports of the program, tests aside, to the map.
func TestArchitecture(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		if len(p.GoFiles) == 0 { // only tests
			continue
		}
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		seen[name] = true
		may, known := imports[name]
		if !known {
			t.Errorf("package %q is not on the map in arch_test.go", name)
			continue
		}
		for _, i := range p.Imports {
			if own, ok := strings.CutPrefix(i, module+"/"); ok && !slices.Contains(may, own) {
				t.Errorf("%q imports %q, which the map does not allow", name, own)
			}
			for lib, door := range doors {
				within := func(door string) bool { return name == door || strings.HasPrefix(name, door+"/") }
				if (i == lib || strings.HasPrefix(i, lib+"/")) && !slices.ContainsFunc(strings.Fields(door), within) {
					t.Errorf("%q imports %s; only %q may", name, i, door)
				}
			}
		}
	}
	for name := range imports {
		if !seen[name] {
			t.Errorf("the map has %q, which does not exist", name)
		}
	}
}

// sources parses every Go file of the program, tests aside.
func sources(t *testing.T, visit func(path string, set *token.FileSet, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		visit(path, set, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestGoStatements asks every goroutine to say when it ends.
func TestGoStatements(t *testing.T) {
	sources(t, func(path string, set *token.FileSet, f *ast.File) {
		said := map[int]bool{}
		for _, c := range f.Comments {
			if strings.Contains(c.Text(), "ends ") {
				said[set.Position(c.Pos()).Line] = true
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			var at token.Pos
			switch n := n.(type) {
			case *ast.GoStmt:
				at = n.Pos()
			case *ast.CallExpr:
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Go" && len(n.Args) == 1 {
					at = n.Pos()
				}
			}
			if at.IsValid() && !said[set.Position(at).Line] {
				t.Errorf("%s: a goroutine without a comment that says when it ends", set.Position(at))
			}
			return true
		})
	})
}

// passedOn reports whether a panic is one that package net/http asks handlers
// to let through.
func passedOn(call *ast.CallExpr) bool {
	s, ok := call.Args[0].(*ast.SelectorExpr)
	return ok && s.Sel.Name == "ErrAbortHandler"
}

// receiver returns the type that a method belongs to; that of a function is
// named as if it were exported.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return "Exported"
	}
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// TestHouseRules holds the rest of what CONTRIBUTING.md promises of the code.
func TestHouseRules(t *testing.T) {
	const maxFile, maxFunc, maxParams = 400, 60, 4
	sources(t, func(path string, set *token.FileSet, f *ast.File) {
		if n := set.Position(f.End()).Line; n > maxFile {
			t.Errorf("%s has %d lines: want at most %d", path, n, maxFile)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if lines := set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1; lines > maxFunc {
					t.Errorf("%s: %s has %d lines: want at most %d", set.Position(n.Pos()), n.Name, lines, maxFunc)
				}
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s: no init functions", set.Position(n.Pos()))
				}
				if n.Type.Params.NumFields() > maxParams+1 { // a context does not count
					t.Errorf("%s: %s has %d parameters", set.Position(n.Pos()), n.Name, n.Type.Params.NumFields())
				}
				if n.Name.IsExported() && n.Doc == nil && ast.IsExported(receiver(n)) {
					t.Errorf("%s: exported %s has no comment", set.Position(n.Pos()), n.Name)
				}
			case *ast.CallExpr:
				if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "panic" && !passedOn(n) {
					t.Errorf("%s: no panic", set.Position(n.Pos()))
				}
				if s, ok := n.Fun.(*ast.SelectorExpr); ok {
					if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "os" && s.Sel.Name == "Exit" && path != "main.go" {
						t.Errorf("%s: os.Exit only in main", set.Position(n.Pos()))
					}
				}
			}
			return true
		})
	})
}
