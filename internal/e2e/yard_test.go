package e2e

import (
	"bytes"
	"context"
	"fmt"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"camqtt/internal/testkit"
)

// yardToken is what every board of the yard knows.
const yardToken = "yard.yard.yard"

// yard is a bridge with many cameras of all kinds, and the boards that they are:
// stand-ins for HTTP cameras, and boards that send by themselves. The picture of
// each camera has a width of its own.
type yard struct {
	t      testing.TB
	web    *httptest.Server // HTTP cameras
	http   string           // where boards send to
	tcp    string
	config strings.Builder
	width  map[string]int    // of each camera's pictures
	jpeg   map[string][]byte // likewise
	bad    []string          // cameras that hang, talk rubbish or flood
	ctx    context.Context   // of the boards
	boards sync.WaitGroup
}

func newYard(t testing.TB) *yard {
	t.Helper()
	y := &yard{
		t: t, width: map[string]int{}, jpeg: map[string][]byte{},
		http: "127.0.0.1:" + strconv.Itoa(testkit.FreePort(t)), tcp: "127.0.0.1:" + strconv.Itoa(testkit.FreePort(t)),
	}
	ctx, stop := context.WithCancel(context.Background())
	y.ctx = ctx
	mux := http.NewServeMux()
	mux.HandleFunc("/capture/{id}", y.capture)
	mux.HandleFunc("/stream/{id}", func(w http.ResponseWriter, r *http.Request) { y.stream(w, r, 100*time.Millisecond) })
	mux.HandleFunc("/flood/{id}", func(w http.ResponseWriter, r *http.Request) { y.stream(w, r, 0) })
	mux.HandleFunc("/garbage/{id}", y.garbage)
	mux.HandleFunc("/hangs/{id}", y.hangs)
	y.web = httptest.NewServer(mux)
	t.Cleanup(func() {
		stop()
		y.boards.Wait()
		y.web.CloseClientConnections()
		y.web.Close()
	})
	return y
}

// add adds a camera and returns its id.
func (y *yard) add(kind string, lines ...string) string {
	y.t.Helper()
	id := fmt.Sprintf("%s-%d", kind, len(y.width))
	y.width[id] = 64 + 8*len(y.width)
	y.jpeg[id] = testkit.JPEG(y.t, y.width[id], 48, int64(len(y.width)), 0)
	if y.config.Len() == 0 {
		y.config.WriteString("cameras:\n")
	}
	fmt.Fprintf(&y.config, "  - id: %s\n    keep_warm: 0\n", id)
	for _, line := range lines {
		fmt.Fprintf(&y.config, "    %s\n", strings.NewReplacer("ID", id, "WEB", y.web.URL, "WIDTH", strconv.Itoa(y.width[id])).Replace(line))
	}
	return id
}

// board adds a board that sends a picture now and then, until the test ends.
func (y *yard) board(every time.Duration, send func(id string, jpeg []byte) error) string {
	id := y.add("push", "source: push:?every=1m", "push_token: "+yardToken)
	pic := y.jpeg[id]
	y.boards.Go(func() { // ends with the yard
		for pause := time.NewTimer(every); ; pause.Reset(every) {
			select {
			case <-y.ctx.Done():
				return
			case <-pause.C:
				_ = send(id, pic) // the bridge may not run yet, or turn a flood away
			}
		}
	})
	return id
}

func (y *yard) postPicture(id string, jpeg []byte) error {
	r, err := http.NewRequestWithContext(y.ctx, http.MethodPost, "http://"+y.http+"/push/"+id, bytes.NewReader(jpeg))
	if err != nil {
		return err
	}
	r.Header.Set("X-Token", yardToken)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func (y *yard) dropPicture(id string, jpeg []byte) error {
	c, err := net.Dial("tcp", y.tcp)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write(append([]byte("cam/"+id+" "+yardToken+"\n"), jpeg...))
	return err
}

// start runs the bridge.
func (y *yard) start(broker string) *testkit.Program {
	y.t.Helper()
	path := filepath.Join(y.t.TempDir(), "bridge.yaml")
	fmt.Fprintf(&y.config, "mqtt: {url: %s}\nlog: {level: warn}\n", broker)
	if strings.Contains(y.config.String(), "source: push") {
		fmt.Fprintf(&y.config, "push: {listen: %s, tcp: %s}\n", y.http, y.tcp)
	}
	if err := os.WriteFile(path, []byte(y.config.String()), 0o600); err != nil {
		y.t.Fatal(err)
	}
	return serve(y.t, "run", "-c", path)
}

func (y *yard) capture(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "image/jpeg")
	_, _ = w.Write(y.jpeg[r.PathValue("id")]) // the bridge may have enough
}

func (y *yard) stream(w http.ResponseWriter, r *http.Request, every time.Duration) {
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=x")
	pic := y.jpeg[r.PathValue("id")]
	part := append(fmt.Appendf(nil, "--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", len(pic)), pic...)
	for {
		if _, err := w.Write(append(part, '\r', '\n')); err != nil {
			return
		}
		if every == 0 {
			continue
		}
		http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-y.ctx.Done():
			return
		case <-time.After(every):
		}
	}
}

func (y *yard) garbage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=x")
	rng := rand.New(rand.NewSource(1))
	b := make([]byte, 8<<10)
	for y.ctx.Err() == nil {
		rng.Read(b)
		copy(b, "--x\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff")
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}

func (y *yard) hangs(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-y.ctx.Done():
	}
}
