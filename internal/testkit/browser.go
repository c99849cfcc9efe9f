package testkit

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
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
func OpenBrowser(t testing.TB, page string, width, height int) *Browser {
	t.Helper()
	if width == 0 {
		width, height = 1280, 900
	}
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(Tool(t, "chromium")), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-background-timer-throttling", false),
		chromedp.Flag("ignore-certificate-errors", u.Scheme == "https"), // as a person does who clicks the warning away
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(width, height),
		chromedp.CombinedOutput(io.Discard), chromedp.WSURLReadTimeout(60*time.Second))
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
	b.do(chromedp.Navigate(page))
	return b
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
	ctx, cancel := context.WithTimeout(b.ctx, 60*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, a); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// Eval returns the value of a JavaScript expression.
func Eval[T any](b *Browser, js string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 60*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("browser: %s: %v", js, err)
	}
	return v
}

// Wait polls until a JavaScript expression is true.
func (b *Browser) Wait(limit time.Duration, js string) {
	b.t.Helper()
	deadline := time.Now().Add(limit)
	for !Eval[bool](b, "!!("+js+")") {
		if time.Now().After(deadline) {
			b.Screenshot(filepath.Join(os.TempDir(), "camqtt-failed-page.png"))
			b.t.Fatalf("not within %s: %s\npage says: %s", limit, js, Eval[string](b, "document.body.innerText"))
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Click clicks the first element that a CSS selector finds.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(selector))
}

// Press sends a key, such as "s" or "\x1b".
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

// Reload loads the page again.
func (b *Browser) Reload() {
	b.t.Helper()
	b.do(chromedp.Reload())
}

// Screenshot writes what the page looks like to a PNG file.
func (b *Browser) Screenshot(path string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 60*time.Second)
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
