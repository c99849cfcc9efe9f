package dashboard

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"camqtt/internal/wire"
)

// TestMetricsHaveEveryStat compares the figures with the keys of stats: each has one, which
// shows the value of that very key.
func TestMetricsHaveEveryStat(t *testing.T) {
	byKey := map[string]statFigure{}
	for _, f := range statFigures() {
		byKey[f.key] = f
	}
	kind := reflect.TypeFor[wire.Stats]()
	for i := range kind.NumField() {
		key, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
		if key == "ts" || kind.Field(i).Type.Kind() == reflect.String { // no numbers
			continue
		}
		f, ok := byKey[key]
		if !ok {
			t.Errorf("stats has %s, which /metrics does not show", key)
			continue
		}
		var s wire.Stats
		field := reflect.ValueOf(&s).Elem().Field(i)
		if field.Kind() == reflect.Pointer {
			if _, known := f.value(s); known {
				t.Errorf("%s is shown although it is not known", key)
			}
			field.Set(reflect.New(field.Type().Elem()))
			field = field.Elem()
		}
		switch {
		case field.CanInt():
			field.SetInt(7)
		case field.CanUint():
			field.SetUint(7)
		default:
			field.SetFloat(7)
		}
		if v, known := f.value(s); !known || v != 7 {
			t.Errorf("%s of 7 is shown as %v", key, v)
		}
		delete(byKey, key)
	}
	for key := range byKey {
		t.Errorf("/metrics shows %s, which stats does not have", key)
	}
}

func TestMetricsOfANode(t *testing.T) {
	f := newFake()
	c := online("porch")
	signal := -61
	c.Stats = wire.Stats{TS: wire.At(time.Now()), Every: 30, Bytes: 5, Commands: 9, Memory: 1 << 20, Signal: &signal}
	f.set(c)
	s := serve(t, Options{Viewer: f})
	resp, body := ask(t, "GET", s.url+"/metrics")
	wantAnswer(t, resp, body, 200, `camqtt_camera_commands_total{id="porch"} 9`, `camqtt_camera_memory_bytes{id="porch"} 1.048576e+06`,
		`camqtt_camera_signal_dbm{id="porch"} -61`, `camqtt_camera_bytes_total{id="porch"} 5`)
}
