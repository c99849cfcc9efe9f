package testkit

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Browser is a page open in a real Chromium. A console error, an uncaught
// exception or a request that leaves the page's origin fails the test.
type Browser struct {
	t      testing.TB
	ctx    context.Context
	origin string

	mu       sync.Mutex
	problems []string
	allowed  []string // parts of messages that a test expects
}

// OpenBrowser starts Chromium and opens a page. size is of the window, in
// pixels; 0, 0 is 1280 x 900.
func OpenBrowser(t testing.TB, address string, width, height int) *Browser {
	t.Helper()
	if width == 0 {
		width, height = 1280, 900
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	claimBrowser(t)
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(Tool(t, "chromium")), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-background-timer-throttling", false), chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("disable-dev-shm-usage", true),                    // which is small in containers, and a full one ends the page
		chromedp.Flag("ignore-certificate-errors", u.Scheme == "https"), // as a person does who clicks the warning away
		// Its data is in a folder that goes only when all its processes have gone: one of
		// t.TempDir would be removed while the last of them still write into it.
		chromedp.WindowSize(width, height), chromedp.CombinedOutput(io.Discard))
	ctx, stop := chromedp.NewContext(alloc)
	b := &Browser{t: t, ctx: ctx, origin: u.Scheme + "://" + u.Host}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // closes the browser and waits for it
		stop()
		stopAlloc()
		b.check()
	})
	b.listen()
	b.do(chromedp.EmulateViewport(int64(width), int64(height)))
	b.do(chromedp.Navigate(address))
	return b
}

// maxBrowsers is how many run at once in all tests of this machine: each takes 300 MB.
const maxBrowsers = 2

// claimBrowser waits until fewer than [maxBrowsers] run, and counts as one until the
// test ends.
func claimBrowser(t testing.TB) {
	t.Helper()
	for ; ; time.Sleep(50 * time.Millisecond) { // ends when a browser has; each has its limits
		for n := range maxBrowsers {
			// A name in the abstract space goes with its process. unix(7)
			if claim, err := net.Listen("unix", fmt.Sprintf("@camqtt-test-browser-%d", n)); err == nil {
				t.Cleanup(func() { claim.Close() })
				return
			}
		}
	}
}

// listen collects what must not happen until the browser is closed.
func (b *Browser) listen() {
	console := chromedp.Console(b.ctx)
	go func() { // ends with the browser
		for m, err := range console {
			if err != nil {
				return
			}
			switch string(m.Type) {
			case "error", "warning", string(chromedp.ConsoleException):
				b.problem(fmt.Sprintf("console %s: %s (%s)", m.Type, m.Text, m.URL))
			}
		}
	}()
	requests := chromedp.Events(b.ctx, network.RequestWillBeSent)
	go func() { // ends with the browser
		for r, err := range requests {
			if err != nil {
				return
			}
			if at := r.Request.URL; !strings.HasPrefix(at, b.origin+"/") && !strings.HasPrefix(at, "data:") && !strings.HasPrefix(at, "blob:") {
				b.problem("a request left the origin: " + at)
			}
		}
	}()
}

func (b *Browser) problem(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, text)
}

// Allow says that console messages with this text are expected from now on,
// such as those of a WebSocket to a broker that the test has stopped.
func (b *Browser) Allow(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allowed = append(b.allowed, text)
}

func (b *Browser) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
next:
	for _, p := range b.problems {
		for _, a := range b.allowed {
			if strings.Contains(p, a) {
				continue next
			}
		}
		b.t.Error(p)
	}
}

func (b *Browser) do(a chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*Patience)
	defer cancel()
	if err := chromedp.Do(ctx, a); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// Eval returns the value of a JavaScript expression. The page must not be on its way
// to another: that is what [Browser.Wait] is for.
func Eval[T any](b *Browser, js string) T {
	b.t.Helper()
	v, err := evaluate[T](b, js)
	if err != nil {
		b.t.Fatalf("browser: %s: %v", js, err)
	}
	return v
}

func evaluate[T any](b *Browser, js string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, 2*Patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
}

// Wait polls until a JavaScript expression is true, on this page or on the one that it
// leads to. A page that is replaced while it is asked gives no answer, and one that has
// only begun may have nothing to look at yet: neither is true.
func (b *Browser) Wait(js string) {
	b.t.Helper()
	b.until(js, func() (bool, error) { return evaluate[bool](b, "!!("+js+")") })
}

// until polls as [Browser.Wait] does.
func (b *Browser) until(what string, ok func() (bool, error)) {
	b.t.Helper()
	for deadline := time.Now().Add(Patience); ; time.Sleep(20 * time.Millisecond) {
		yes, err := ok()
		switch {
		case yes && err == nil:
			return
		case b.ctx.Err() != nil:
			b.t.Fatalf("browser: it has ended: %s: %v", what, err)
		case time.Now().After(deadline):
			b.Screenshot(filepath.Join(os.TempDir(), "camqtt-failed-page.png"))
			says, _ := evaluate[string](b, "location.href + '\\n' + document.body?.innerText")
			b.t.Fatalf("not within %s: %s (%v)\npage says: %s", Patience, what, err, says)
		}
	}
}

// spot is js that finds where to click an element, or null while a person could not:
// it is not there, out of sight, switched off, still moving, or under something else.
const spot = `(async (selector) => {
	const look = () => {
		const e = document.querySelector(selector);
		if (!e?.checkVisibility() || e.disabled) return null;
		e.scrollIntoViewIfNeeded();
		const r = e.getBoundingClientRect();
		const at = {e, x: r.x + r.width / 2, y: r.y + r.height / 2};
		return e.contains(document.elementFromPoint(at.x, at.y)) ? at : null;
	};
	const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
	const before = look();
	await frame();
	await frame();
	const now = look();
	return before && now && before.e === now.e && before.x === now.x && before.y === now.y ? [now.x, now.y] : [];
})`

// Click clicks the first element that a CSS selector finds, in its middle, as soon as a
// person could.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	quoted, err := json.Marshal(selector)
	if err != nil {
		b.t.Fatal(err)
	}
	var at []float64
	b.until(selector+" can be clicked", func() (bool, error) {
		var err error
		at, err = evaluate[[]float64](b, spot+"("+string(quoted)+")")
		return len(at) == 2, err
	})
	b.do(chromedp.MouseClickXY(at[0], at[1]))
}

// Press sends keys, such as "s" or "\x1b", to whatever has the focus: wait for that first.
func (b *Browser) Press(key string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(key))
}

// Media sets what the page is told about its surroundings, such as
// prefers-color-scheme dark.
func (b *Browser) Media(feature, value string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
	})
	if err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// Viewport resizes the page.
func (b *Browser) Viewport(width, height int) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(int64(width), int64(height)))
}

// Reload loads the page again, and returns when the new one is there.
func (b *Browser) Reload() {
	b.t.Helper()
	old := Eval[float64](b, "performance.timeOrigin")
	if _, err := chromedp.Call(b.ctx, page.Reload, page.ReloadParams{}); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
	b.Wait(fmt.Sprintf("performance.timeOrigin !== %v && document.readyState === 'complete'", old))
}

// Screenshot writes what the page looks like to a PNG file.
func (b *Browser) Screenshot(path string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 2*Patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Errorf("browser: screenshot: %v", err)
		return
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		b.t.Error(err)
	}
}
