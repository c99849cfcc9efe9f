package wire_test

import (
	"reflect"
	"strings"
	"testing"

	"camqtt/internal/wire"
)

// TestStatisticsAreTheNumbers compares the rows with the keys of stats: each number has one,
// which tells the value of that very key.
func TestStatisticsAreTheNumbers(t *testing.T) {
	rows := map[string]wire.Statistic{}
	for _, s := range wire.Statistics() {
		rows[s.Name] = s
	}
	kind := reflect.TypeFor[wire.Stats]()
	for i := range kind.NumField() {
		key, _, _ := strings.Cut(kind.Field(i).Tag.Get("json"), ",")
		if key == "ts" || kind.Field(i).Type.Kind() == reflect.String { // no numbers
			continue
		}
		row, ok := rows[key]
		if !ok {
			t.Errorf("stats has %s, which has no row", key)
			continue
		}
		var s wire.Stats
		field := reflect.ValueOf(&s).Elem().Field(i)
		if field.Kind() == reflect.Pointer {
			if !row.Unknown(&s) {
				t.Errorf("%s is not unknown before it is set", key)
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
		if v := row.Value(&s); v != 7 || row.Unknown != nil && row.Unknown(&s) {
			t.Errorf("%s of 7 is %v", key, v)
		}
		delete(rows, key)
	}
	for key := range rows {
		t.Errorf("there is a row for %s, which stats does not have", key)
	}
}
