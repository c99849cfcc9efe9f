package testkit

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pebbleModule is the Let's Encrypt project's authority for tests.
const pebbleModule = "github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1"

// Pebble is a running ACME authority that finds every domain at 127.0.0.1.
type Pebble struct {
	Directory string // URL
	CAFile    string // who vouches for that URL

	p *Program
}

// StartPebble runs an authority that checks domains at the given port in place of
// 443, until the test ends.
func StartPebble(t testing.TB, port int) *Pebble {
	t.Helper()
	program, dir := GoTool(t, "pebble", pebbleModule), t.TempDir()
	a := NewAuthority(t)
	crt, key := a.Issue("localhost", nil)
	listen := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	conf, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": fmt.Sprintf("127.0.0.1:%d", FreePort(t)),
		"certificate": crt, "privateKey": key, "httpPort": FreePort(t), "tlsPort": port, "keyAlgorithm": "ecdsa",
		"retryAfter": map[string]int{"authz": 1, "order": 1},
		"profiles":   map[string]any{"default": map[string]any{"description": "for tests", "validityPeriod": 86400}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, conf, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &Pebble{Directory: "https://" + listen + "/dir", CAFile: a.File}
	// Without the pauses by which it makes clients wait, with its habit of turning
	// away good requests, which clients have to bear.
	p.p = Start(t, "env", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20", program, "-config", file, "-dnsserver", nameServer(t))
	p.p.listens(listen)
	return p
}

// Log is what it has written so far.
func (p *Pebble) Log() string { return p.p.Out() + p.p.Err() }

// Issued counts the certificates it has given.
func (p *Pebble) Issued() int { return strings.Count(p.Log(), "Issued certificate serial") }

// nameServer answers every question for an IPv4 address with 127.0.0.1 and all
// others with nothing. Pebble asks over TCP (RFC 1035 section 4.2.2).
func nameServer(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends when the listener is closed
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerNames(c) // ends with the connection
		}
	}()
	return l.Addr().String()
}

func answerNames(c net.Conn) {
	defer c.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		q := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, q); err != nil {
			return
		}
		a := answerName(q)
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a))), a...)); err != nil || a == nil {
			return
		}
	}
}

func answerName(q []byte) []byte {
	end := 12
	for end < len(q) && q[end] != 0 {
		end += int(q[end]) + 1
	}
	end += 5 // the name's end, type and class
	if end > len(q) {
		return nil
	}
	a := append([]byte{q[0], q[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, q[12:end]...)
	if binary.BigEndian.Uint16(q[end-4:]) == 1 { // A
		a[7] = 1
		a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1)
	}
	return a
}
