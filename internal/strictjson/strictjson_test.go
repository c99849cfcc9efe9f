package strictjson_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"camqtt/internal/strictjson"
)

type document struct {
	Name string             `json:"name"`
	List []string           `json:"list"`
	In   struct{ A, B any } `json:"in"`
	Free map[string]any     `json:"free"`
}

// TestUnmarshal reads what is whole, and refuses what two readers could read differently.
func TestUnmarshal(t *testing.T) {
	for text, want := range map[string]string{
		`{"name":"a","list":["b","b"],"in":{"A":[{"x":1},{"x":2}],"B":"A"},"free":{"name":"name"}}`: "",
		"{}\n \t":                          "",
		`null`:                             "",
		`{"name":"a","name":"b"}`:          `"name" is there twice`,
		`{"name":"a","NAME":"b"}`:          `"NAME" is there twice`,
		`{"list":["a"],"li\u017ft":["b"]}`: "is there twice",
		`{"in":{"A":1,"a":2}}`:             `"a" is there twice`,
		`{"free":{"x":[{"y":1,"y":2}]}}`:   `"y" is there twice`,
		`{"name":"a"} {}`:                  "behind its end",
		`{"name":"a"}x`:                    "behind its end",
		`{"name":"a"}` + "\x00":            "behind its end",
		`{"name":"a"`:                      "EOF",
		``:                                 "EOF",
		`{"other":1}`:                      "unknown field",
		"{\"name\":\"\xff\"}":              "UTF-8",
		`{"name":1}`:                       "cannot unmarshal",
		`[}`:                               "invalid character",
		strings.Repeat("[", 20000):         "",
	} {
		err := strictjson.Unmarshal([]byte(text), new(document))
		if want == "" && len(text) > 10000 {
			want = "EOF"
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// FuzzUnmarshal holds it to encoding/json: what it takes is read in the same way, and no
// object of it has a key twice.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{`{"name":"a","list":["b"]}`, `{"in":{"A":{"x":[1]}}}`, `{"name":"a","name":"b"}`, `[]`, `{"a":1}{`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var ours, theirs document
		if strictjson.Unmarshal(text, &ours) != nil {
			return
		}
		if err := json.Unmarshal(text, &theirs); err != nil || !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%q: %+v, encoding/json %+v, %v", text, ours, theirs, err)
		}
	})
}
