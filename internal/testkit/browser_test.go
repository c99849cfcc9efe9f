package testkit

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// serveHTML serves pages by path.
func serveHTML(t *testing.T, pages map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><link rel="icon" href="data:,">`+pages[r.URL.Path])
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// A question that is under way while the page is replaced has no answer, and Wait goes on.
func TestBrowserWaitsAcrossPages(t *testing.T) {
	pages := map[string]string{"/next": `<p id="next">here`}
	url := serveHTML(t, pages)
	elsewhere := strings.Replace(url, "127.0.0.1", "localhost", 1) // of another site: another process takes over
	b := OpenBrowser(t, url+"/", 0, 0)
	b.Allow("a request left the origin: " + elsewhere)
	Eval[bool](b, `setTimeout(() => {
		location.replace("`+elsewhere+`/next");
		for (const end = Date.now() + 3000; Date.now() < end;);
	}, 50) > 0`)
	b.Wait(`document.querySelector('#next').textContent === 'here'`) // there is none at first
}

// A click waits until its aim rests, is switched on, and lies under nothing.
func TestBrowserClicksAsAPersonCan(t *testing.T) {
	url := serveHTML(t, map[string]string{"/": `<style>
			button { position: absolute; top: 1500px; left: 0; animation: go 700ms linear forwards }
			@keyframes go { to { left: 600px } }
			#over { position: fixed; inset: 0 }
		</style>
		<template><button>no</button></template>
		<button disabled>yes</button><button style="animation: none; top: 0; left: 900px">no</button><div id="over"></div>
		<script>
			document.addEventListener('click', (e) => { document.title += e.target.textContent || e.target.id; });
			setTimeout(() => { document.querySelector('button').disabled = false; }, 900);
			setTimeout(() => { document.querySelector('#over').remove(); }, 1100);
		</script>`})
	b := OpenBrowser(t, url+"/", 0, 0)
	b.Click("button")
	if got := Eval[string](b, `document.title`); got != "yes" {
		t.Errorf("the clicks went to %q", got)
	}
}

// Reload returns with the new page, though the old one changes its address meanwhile: not
// too often, for Chromium complains of more than 200 times in ten seconds.
func TestBrowserReloads(t *testing.T) {
	url := serveHTML(t, map[string]string{"/": `<script>setInterval(() => history.replaceState(null, '', '#' + Math.random()), 100)</script>`})
	b := OpenBrowser(t, url+"/", 0, 0)
	for range 3 {
		Eval[bool](b, `window.old = true`)
		b.Reload()
		if Eval[bool](b, `'old' in window`) {
			t.Fatal("this is the old page")
		}
	}
}
