package app

import (
	"reflect"
	"testing"

	"camqtt/broker"
	"camqtt/internal/config"
)

// The defaults that the configuration documents are those of the broker, and none of
// its limits is forgotten on the way. Memory is this machine's.
func TestBrokerLimits(t *testing.T) {
	cfg, err := config.Load(config.Options{Sources: []string{"broker="}})
	if err != nil {
		t.Fatal(err)
	}
	got, want := reflect.ValueOf(brokerLimits(cfg.Broker.Limits)), reflect.ValueOf(broker.DefaultLimits())
	for i := range got.NumField() {
		if f := got.Field(i); got.Type().Field(i).Name != "Memory" && !f.IsZero() && f.Int() != want.Field(i).Int() {
			t.Errorf("%s is %d by the configuration, %d by the broker", got.Type().Field(i).Name, f.Int(), want.Field(i).Int())
		}
	}
	limits := reflect.ValueOf(&cfg.Broker.Limits).Elem()
	for i := range limits.NumField() {
		before := brokerLimits(cfg.Broker.Limits)
		limits.Field(i).SetInt(limits.Field(i).Int() + 1)
		if brokerLimits(cfg.Broker.Limits) == before {
			t.Errorf("%s has no effect", limits.Type().Field(i).Name)
		}
	}
}
