package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"camqtt/internal/testkit"
)

// serveSite is another web site with one page, on another host than the dashboard's.
func serveSite(t *testing.T, body string) (origin string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, "<!doctype html><link rel=icon href=data:,><title>site</title>"+body)
	})}
	go srv.Serve(l) // ends with the cleanup
	t.Cleanup(func() { _ = srv.Close() })
	return "http://localhost:" + l.Addr().String()[strings.LastIndex(l.Addr().String(), ":")+1:]
}

// TestEmbeddedInAnotherSite shows a picture and the page in another site's page, once
// where dashboard.embed lists the site and once where it does not.
func TestEmbeddedInAnotherSite(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{true, false} {
		t.Run(fmt.Sprintf("allowed %t", allowed), func(t *testing.T) {
			listen := fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(t))
			site := serveSite(t, `<img src="http://`+listen+`/cam/porch/snapshot.jpg" onload="this.dataset.is='shown'" onerror="this.dataset.is='refused'">
				<iframe src="http://`+listen+`/" width=600 height=500></iframe>`)
			args := []string{"broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:"}
			if allowed {
				args = append(args, "dashboard.embed="+site)
			}
			hub := startHubAt(t, listen, args...)
			b := testkit.OpenBrowser(t, "about:blank", 0, 0)
			b.Allow("a request left the origin") // that is what is tested
			if !allowed {
				b.Allow("Refused to frame")
				b.Allow("frame-ancestors")
				b.Allow("403")
				b.Allow("ERR_BLOCKED_BY_RESPONSE")
			}
			testkit.Eval[bool](b, `(location.href = '`+site+`/') !== ''`)
			want := map[bool]string{true: "shown", false: "refused"}[allowed]
			b.Wait(`document.querySelector('img')?.dataset.is === '` + want + `'`)
			sockets := func() string {
				_, body := getPicture(t, hub.http+"/metrics")
				_, rest, _ := strings.Cut(body, "\ncamqtt_http_websockets ")
				n, _, _ := strings.Cut(rest, "\n")
				return n
			}
			if allowed {
				testkit.Until(t, "the page in the frame has connected", func() bool { return sockets() == "1" })
			} else if n := sockets(); n != "0" {
				t.Errorf("the page runs in a frame of another site: %s WebSockets", n)
			}
		})
	}
}
