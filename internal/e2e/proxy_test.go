package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// startNginx runs nginx before a dashboard, with the given lines for its location, and
// returns its port.
func startNginx(t *testing.T, to string, lines ...string) string {
	t.Helper()
	dir, port := t.TempDir(), strconv.Itoa(testkit.FreePort(t))
	conf := fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log stderr; events {} worker_processes 1;
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server {
		listen 127.0.0.1:%[2]s;
		location / { proxy_pass %[3]s; proxy_http_version 1.1; %[4]s }
	}
}`, dir, port, to, strings.Join(lines, " "))
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	p := testkit.Start(t, testkit.Tool(t, "nginx"), "-e", "stderr", "-p", dir, "-c", file)
	testkit.Until(t, "nginx answers", func() bool {
		if p.Ended() {
			t.Fatalf("nginx ended by itself\n%s", p.Err())
		}
		r, err := http.Get("http://127.0.0.1:" + port + "/healthz")
		if err == nil {
			r.Body.Close()
		}
		return err == nil && r.StatusCode == http.StatusOK
	})
	return port
}

const (
	passUpgrade  = `proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;`
	bannerText   = `document.querySelector('#banner-text')?.textContent`
	everyPicture = `Number(document.querySelector('cam-tile[data-id=porch]')?.dataset.frames ?? 0) > 3`
)

// TestPageBehindNginx opens the page through nginx as people configure it.
func TestPageBehindNginx(t *testing.T) {
	t.Parallel()
	hub := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:")
	wary := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:", "dashboard.trusted_proxies=192.0.2.1")
	for _, c := range []struct {
		name  string
		to    string
		lines string
		says  string // "" where live pictures come
	}{
		{"port lost", hub.http, passUpgrade + `proxy_set_header Host $host;`, ""},
		{"port kept", hub.http, passUpgrade + `proxy_set_header Host $http_host;`, ""},
		{"forwarded", hub.http, passUpgrade + `proxy_set_header X-Forwarded-Host $http_host;`, ""},
		{"nothing said", hub.http, passUpgrade, "to dashboard.origins"},
		{"port lost, not trusted", wary.http, passUpgrade + `proxy_set_header Host $host;`, "Add 127.0.0.1, the address of the proxy, to dashboard.trusted_proxies"},
		{"no upgrade", hub.http, `proxy_set_header Host $http_host;`, "must pass on Upgrade and Connection"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := testkit.OpenBrowser(t, "http://localhost:"+startNginx(t, c.to, c.lines)+"/", 0, 0)
			if c.says == "" {
				b.Wait(everyPicture)
				return
			}
			b.Allow("WebSocket connection to")
			b.Wait(bannerText + `.includes('` + c.says + `')`)
			shot(t, b, "page-refused-"+strings.ReplaceAll(c.name, " ", "-"))
		})
	}
}
