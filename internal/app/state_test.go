package app

import (
	"log/slog"
	"path/filepath"
	"testing"

	"camqtt/internal/config"
)

// Where a program remembers that its cameras are private: with the rest of what it keeps,
// else in a folder of its service, else in one of its user, apart by broker.
func TestMemoryFolder(t *testing.T) {
	home := []string{"HOME=/home/ann"}
	users := func(name string) string { return filepath.Join("/home/ann/.config/camqtt", name) }
	at := func(url string) config.Config {
		return config.Config{State: "auto", MQTT: config.MQTT{URL: []string{url, "mqtt://second.example"}}}
	}
	for name, c := range map[string]struct {
		cfg     config.Config
		environ []string
		want    string
	}{
		"given":             {config.Config{State: "/srv/x", Broker: &config.Broker{Data: "/srv/data"}}, home, "/srv/x"},
		"none":              {config.Config{Broker: &config.Broker{Data: "/srv/data"}}, home, ""},
		"our broker":        {config.Config{State: "auto", Broker: &config.Broker{Data: "/srv/data"}}, []string{"STATE_DIRECTORY=/var/lib/hub"}, "/srv/data"},
		"it keeps nothing":  {config.Config{State: "auto", Broker: &config.Broker{}}, home, ""},
		"service":           {at("mqtt://cams.example"), append(home, "STATE_DIRECTORY=/var/lib/node:/var/lib/more"), "/var/lib/node"},
		"user":              {at("mqtt://Cams.example"), home, users("at-cams.example")},
		"its TLS port":      {at("mqtts://ann:secret@cams.example:8883"), home, users("at-cams.example")},
		"this machine":      {at("mqtt://127.0.0.1:1884"), home, users("at-127.0.0.1:1884")},
		"this machine, too": {at("ws://localhost"), home, users("at-localhost:80")},
		"IPv6":              {at("mqtt://[fe80::1%25eth0]:1884"), home, users("at-fe80::1-eth0")},
		"socket":            {at("unix:///run/../x/a.sock"), home, users("at--run-..-x-a.sock")},
		"another folder":    {at("mqtt://cams.example"), []string{"XDG_CONFIG_HOME=/cfg", "HOME=/home/ann"}, "/cfg/camqtt/at-cams.example"},
	} {
		if m := newMemory(c.environ, &c.cfg, slog.New(slog.DiscardHandler)); m.err != nil || m.folder != c.want {
			t.Errorf("%s: %q, %v, want %q", name, m.folder, m.err, c.want)
		}
	}
	cfg := at("mqtt://cams.example")
	if m := newMemory(nil, &cfg, slog.New(slog.DiscardHandler)); m.err == nil {
		t.Errorf("without a home: %+v, want an error that privacy's result tells", m)
	}
}
