package arch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
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
	"node/camera":                    {"internal/redact", "internal/jpeg", "node/camera/sourceurl"},
	"node/camera/sourceurl":          {"internal/redact"},
	"node/camera/mjpeg":              {"internal/jpeg", "node/camera"},
	"node/camera/subprocess":         {"internal/redact", "node/camera", "node/camera/mjpeg"},
	"node/camera/kinds":              {"node/camera", "node/camera/testcard", "node/camera/webcam", "node/camera/rpicam", "node/camera/command", "node/camera/folder", "node/camera/httpcam", "node/camera/push", "node/camera/mqttcam"},
	"node/camera/mqttcam":            {"internal/redact", "node/camera", "node/camera/sourceurl", "node/camera/mjpeg"},
	"node/camera/testcard":           {"internal/redact", "node/camera", "node/camera/sourceurl"},
	"node/camera/webcam":             {"internal/redact", "internal/jpeg", "node/camera", "node/camera/sourceurl", "node/camera/webcam/v4l2"},
	"node/camera/webcam/v4l2":        {},
	"node/camera/rpicam":             {"internal/redact", "node/camera", "node/camera/sourceurl", "node/camera/mjpeg", "node/camera/subprocess"},
	"node/camera/command":            {"internal/redact", "node/camera", "node/camera/sourceurl", "node/camera/mjpeg", "node/camera/subprocess"},
	"node/camera/folder":             {"internal/redact", "internal/jpeg", "node/camera"},
	"node/camera/httpcam":            {"internal/mdns", "internal/rawio", "internal/redact", "internal/jpeg", "internal/cert", "node/camera", "node/camera/sourceurl", "node/camera/mjpeg", "node/camera/httpcam/board"},
	"node/camera/httpcam/board":      {},
	"node/camera/push":               {"internal/clientip", "internal/redact", "internal/jpeg", "node/camera", "node/camera/sourceurl"},
	"node/camera/vmtest":             {},
	"node/camera/vmtest/boot":        {},
	"node/camera/vmtest/webcam":      {},
	"broker":                         {"internal/clientip", "internal/wire", "internal/access", "internal/mqtt", "internal/ratelog", "broker/internal/messagestore", "broker/internal/sendqueue", "broker/internal/sharedbuffer"},
	"broker/internal/sendqueue":      {"internal/sendbuffer", "broker/internal/sharedbuffer"},
	"broker/internal/sharedbuffer":   {},
	"broker/internal/messagestore":   {"internal/securefile", "internal/datadir"},
	"internal/wire":                  {},
	"internal/access":                {"internal/clientip", "internal/wire", "internal/mqtt", "internal/securefile", "internal/ratelog", "internal/strictjson", "internal/datadir"},
	"internal/mdns":                  {},
	"internal/mqtt":                  {},
	"internal/brokerurl":             {"internal/redact"},
	"internal/mqttclient":            {"internal/mdns", "internal/brokerurl", "internal/wire", "internal/cert", "internal/sendbuffer", "internal/rawio"},
	"internal/diskspace":             {},
	"internal/memlimit":              {},
	"internal/inuse":                 {"internal/wire", "internal/securefile"},
	"internal/datadir":               {"internal/securefile"},
	"internal/strictjson":            {},
	"internal/rawio":                 {},
	"internal/sendbuffer":            {},
	"internal/viewer":                {"internal/wire", "internal/mqttclient", "internal/jpeg"},
	"internal/config":                {"node/camera/kinds", "internal/brokerurl", "internal/redact", "internal/wire", "internal/cert", "internal/securefile"},
	"internal/cert":                  {"internal/securefile"},
	"internal/ratelog":               {"internal/clientip"},
	"internal/redact":                {},
	"internal/jpeg":                  {},
	"internal/homeassistant":         {"internal/wire"},
	"internal/run":                   {},
	"internal/journal":               {},
	"internal/testkit":               {"internal/wire", "internal/jpeg", "internal/mqttclient", "node/camera"},
	"internal/testkit/cameratest":    {"internal/jpeg", "internal/testkit", "node/camera"},
	"internal/testkit/faketime":      {},
	"internal/testkit/homeassistant": {"internal/wire", "internal/testkit"},
	"internal/testkit/rights":        {"internal/wire", "internal/access"},
	"internal/brokeracl":             {"internal/wire", "internal/access"},
	"internal/privacystore":          {"internal/wire", "internal/securefile"},
	"internal/enrol":                 {"internal/mdns", "internal/wire", "internal/access", "internal/cert", "internal/securefile", "internal/ratelog", "internal/strictjson"},

	"internal/securefile": {},
	"internal/usage":      {},

	"internal/app": {"broker", "dashboard", "internal/access", "internal/brokerurl", "internal/cert", "internal/config", "internal/datadir", "internal/diskspace", "internal/enrol", "internal/homeassistant", "internal/homeassistant/announce", "internal/inuse", "internal/memlimit", "internal/mqttclient", "internal/privacystore", "internal/run", "internal/usage", "internal/viewer", "internal/wire", "node", "node/camera", "node/camera/kinds", "node/camera/push"},

	"internal/cli": {"internal/access", "internal/app", "internal/brokeracl", "internal/brokerurl", "internal/cert", "internal/config", "internal/enrol", "internal/homeassistant", "internal/inuse", "internal/journal", "internal/mqttclient", "internal/redact", "internal/securefile", "internal/usage", "internal/viewer", "internal/wire", "node/camera", "node/camera/httpcam", "node/camera/kinds"},

	"internal/homeassistant/announce": {"internal/wire", "internal/homeassistant"},
	"dashboard": {
		"dashboard/internal/brokerproxy", "dashboard/internal/connlimit", "dashboard/internal/login",
		"dashboard/internal/respond", "dashboard/internal/session", "dashboard/internal/webguard",
		"dashboard/internal/wsconn", "internal/access", "internal/inuse", "internal/mqttclient", "internal/ratelog",
		"internal/sendbuffer", "internal/strictjson", "internal/viewer", "internal/wire",
	},
	"dashboard/internal/brokerproxy": {"internal/wire", "internal/mqtt"},
	"dashboard/internal/connlimit":   {"internal/clientip", "internal/access"},
	"dashboard/internal/login": {
		"dashboard/internal/respond", "dashboard/internal/session", "dashboard/internal/webguard",
		"internal/access", "internal/ratelog",
	},
	"dashboard/internal/respond":  {},
	"dashboard/internal/session":  {"internal/access", "internal/securefile"},
	"dashboard/internal/webguard": {"dashboard/internal/respond"},
	"dashboard/internal/wsconn":   {"dashboard/internal/respond", "internal/access", "internal/sendbuffer"},
	"internal/testkit/packet":     {},
	"internal/clientip":           {},
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
	"github.com/icholy/digest":              "node/camera/httpcam",
	"github.com/mattn/go-shellwords":        "node/camera/command",
	"golang.org/x/crypto/acme":              "internal/cert",
	"golang.org/x/net":                      "internal/mdns",
	"golang.org/x/sys":                      "node/camera internal/sendbuffer",
	"golang.org/x/image":                    "node/camera",
	"golang.org/x/crypto/argon2":            "internal/access",
	"github.com/KimMachineGun/automemlimit": "internal/memlimit",
	"github.com/google/renameio/v2":         "internal/securefile",
	"golang.org/x/term":                     "internal/cli",
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
