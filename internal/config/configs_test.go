package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"camqtt/internal/config"
)

// certificate makes a certificate that signs itself, and its key, in PEM.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return cert, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

func TestCertificates(t *testing.T) {
	cert, key := certificate(t)
	_, otherKey := certificate(t)
	f := files{"cert.pem": cert, "key.pem": key, "other.pem": otherKey}
	tls := []string{"broker.tls.listen=127.0.0.1:8883", "broker.tls.cert=cert.pem", "broker.tls.key=key.pem"}
	cfg := load(t, config.Options{
		ReadFile: f.read,
		Sources:  append(tls, "dashboard.tls.cert=cert.pem", "dashboard.tls.key=key.pem", "mqtt.url=wss://host", "mqtt.ca_file=cert.pem"),
	})
	want := config.BrokerTLS{Listen: "127.0.0.1:8883", Cert: "cert.pem", Key: "key.pem", ClientAuth: "require", Names: []string{}, ACME: config.ACME{Domains: []string{}}}
	if got := cfg.Broker.TLS; !reflect.DeepEqual(got, want) {
		t.Errorf("broker.tls %+v, want %+v", got, want)
	}
	_, err := config.Load(config.Options{ReadFile: f.read, Sources: append(tls, "broker.tls.key=other.pem")})
	var p config.Problem
	if !errors.As(err, &p) || p.Key != "broker.tls.cert" || !strings.Contains(p.Text, "cert.pem and other.pem") {
		t.Errorf("a key of another certificate: %v", err)
	}
}

// alternative is a setting that stands in a comment of an example.
var alternative = regexp.MustCompile(`^  # ([a-z_]+: \S+)$`)

// alternatives gives the arguments that switch all alternatives on.
func alternatives(text string) (arguments []string) {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := alternative.FindStringSubmatch(line); m != nil {
			key, value, _ := strings.Cut(m[1], ": ")
			arguments = append(arguments, section+"."+key+"="+value)
		} else if name, ok := strings.CutSuffix(line, ":"); ok && !strings.HasPrefix(line, " ") {
			section = name
		}
	}
	return arguments
}

func TestExamples(t *testing.T) {
	cert, _ := certificate(t)
	placeholders := files{"/etc/camqtt/mqtt-password": "placeholder\n", "/etc/camqtt/ca.pem": cert}
	paths, err := filepath.Glob(filepath.Join(examples, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type has struct {
		broker, dashboard    bool
		cameras, alternative int
	}
	want := map[string]has{
		"full.yaml":          {true, true, 1, 0},
		"all-in-one.yaml":    {true, true, 1, 0},
		"hub.yaml":           {true, true, 0, 0},
		"node.yaml":          {false, false, 1, 4},
		"bridge.yaml":        {false, false, 4, 0},
		"rpicam.yaml":        {true, true, 1, 0},
		"rtsp.yaml":          {true, true, 1, 0},
		"other-broker.yaml":  {false, true, 0, 7},
		"push.yaml":          {true, true, 3, 0},
		"homeassistant.yaml": {false, false, 1, 3},
		"esp32.yaml":         {false, false, 6, 0},
	}
	if len(paths) != len(want) {
		t.Errorf("files %q, want %d", paths, len(want))
	}
	for _, path := range paths {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			cfg := load(t, config.Options{Sources: []string{path}})
			extra := alternatives(string(text))
			if got := (has{cfg.Broker != nil, cfg.Dashboard != nil, len(cfg.Cameras), len(extra)}); got != want[name] {
				t.Errorf("has %+v, want %+v", got, want[name])
			}
			load(t, config.Options{
				Sources: append([]string{path}, extra...),
				ReadFile: func(name string) ([]byte, error) {
					if b, err := placeholders.read(name); !errors.Is(err, fs.ErrNotExist) {
						return b, err
					}
					return os.ReadFile(name)
				},
			})
			checkHead(t, name, lines(string(text)))
		})
	}
}

// checkHead looks at the comment that an example begins with.
func checkHead(t *testing.T, name string, rows []string) {
	t.Helper()
	n := 0
	for n < len(rows) && strings.HasPrefix(rows[n], "# ") {
		n++
	}
	if n < 2 || n > 4 {
		t.Errorf("begins with %d lines of comment, want 2 to 4", n)
	}
	if head := strings.Join(rows[:n], "\n"); !strings.Contains(head, "camqtt run -c configs/"+name) {
		t.Errorf("does not say how to start it:\n%s", head)
	}
}
