package cert_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"

	"camqtt/internal/cert"
	"camqtt/internal/testkit"
)

func TestParsePin(t *testing.T) {
	digits := "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	raw, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"sha256:" + digits, "sha256:" + strings.ToUpper(digits), "sha256:01:23:45:67:89:ab:cd:ef" + digits[16:],
		"sha256:" + base64.StdEncoding.EncodeToString(raw), "sha256//" + base64.StdEncoding.EncodeToString(raw),
	} {
		if p, err := cert.ParsePin(s); err != nil || p.String() != "sha256:"+digits {
			t.Errorf("ParsePin(%q) = %v, %v", s, p, err)
		}
	}
	for _, s := range []string{"", "sha256:", digits, "sha1:" + digits, "sha256:" + digits[1:], "sha256:" + digits + "00", "sha256:" + strings.Repeat("g", 64), "sha256 " + digits} {
		if p, err := cert.ParsePin(s); err == nil || !strings.Contains(err.Error(), "64 hexadecimal digits") {
			t.Errorf("ParsePin(%q) = %v, %v: want what is right", s, p, err)
		}
	}
}

// TestPinIsWhatOpenSSLSays computes a pin the way the README shows.
func TestPinIsWhatOpenSSLSays(t *testing.T) {
	openssl := testkit.Tool(t, "openssl")
	data := t.TempDir()
	c, err := cert.Own(data)
	if err != nil {
		t.Fatal(err)
	}
	certFile, _ := cert.OwnFiles(data)
	out, stderr, status := testkit.Run(t, "sh", "-c", openssl+" x509 -in "+certFile+" -noout -pubkey | "+openssl+" pkey -pubin -outform DER | "+openssl+" dgst -sha256 -r")
	if got := "sha256:" + strings.Fields(string(out) + " -")[0]; status != 0 || got != cert.PinOf(c.Leaf).String() {
		t.Errorf("openssl says %s, we %s\n%s", got, cert.PinOf(c.Leaf), stderr)
	}
}

func TestExplainLeavesOtherErrorsAlone(t *testing.T) {
	err := errors.New("no route to host")
	if got := cert.Explain(err); got != err {
		t.Errorf("got %v", got)
	}
}

// TestAuthoritiesAreStrict reads files of which a part is damaged: none is taken.
func TestAuthoritiesAreStrict(t *testing.T) {
	good, err := os.ReadFile(testkit.NewAuthority(t).File)
	if err != nil {
		t.Fatal(err)
	}
	bad := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no DER")})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"one": {string(good), true}, "two": {string(good) + string(good), true}, "with notes": {"# ours\n" + string(good), true}, "beside a key": {string(key) + string(good), true},
		"empty": {"", false}, "nonsense": {"hello", false}, "a key": {string(key), false}, "damaged": {string(bad), false}, "one of two damaged": {string(good) + string(bad), false},
	} {
		if pool, err := cert.Authorities([]byte(c.text)); (err == nil) != c.ok || (pool != nil) != c.ok {
			t.Errorf("%s: %v, want taken %v", name, err, c.ok)
		}
	}
}

func FuzzParsePin(f *testing.F) {
	for _, s := range []string{"", "sha256:", "sha256:" + strings.Repeat("0", 64), "sha256//" + strings.Repeat("A", 43) + "=", "sha256::::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := cert.ParsePin(s)
		if err != nil {
			return
		}
		if again, err := cert.ParsePin(p.String()); err != nil || again != p {
			t.Errorf("%q is %s, which is %v, %v", s, p, again, err)
		}
	})
}

func FuzzAuthorities(f *testing.F) {
	good, err := os.ReadFile(testkit.NewAuthority(f).File)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		pool, err := cert.Authorities(text)
		if (err == nil) != (pool != nil) {
			t.Errorf("pool %v with %v", pool, err)
		}
		_, _ = cert.PinOfPEM(text)
	})
}
