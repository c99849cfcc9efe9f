package dashboard

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"camqtt/broker"
	"camqtt/internal/access"
	"camqtt/internal/testkit"
	"camqtt/internal/wire"
)

// shortly invites for some seconds, with a picture to scan.
type shortly struct {
	t    *testing.T
	life time.Duration
}

func (s *shortly) Invite(_ context.Context, _ access.Principal, id wire.ID) (Invitation, error) {
	var b bytes.Buffer
	m := image.NewGray(image.Rect(0, 0, 33, 33))
	for i := range m.Pix {
		m.Pix[i] = byte(i*i) & 0x80
	}
	if err := png.Encode(&b, m); err != nil {
		s.t.Error(err)
	}
	return Invitation{Join: "camqtt1." + string(id) + strings.Repeat(".0123456789", 12), QR: b.Bytes(), Expires: time.Now().Add(s.life)}, nil
}

// The dialog "Add a camera" in a real browser: the string, its picture, what is left of
// its time, and its end.
func TestEnrolDialog(t *testing.T) {
	var b *broker.Broker
	s := &shortly{t: t, life: 10 * time.Minute}
	c := serveClosed(t, access.AnonymousNever, Options{Enrol: s, Attach: func(ctx context.Context, conn net.Conn) error { return b.Attach(ctx, conn) }})
	var err error
	if b, err = broker.New(broker.Options{Access: c.as, Log: quietLog()}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Serve(ctx) }() // ends with ctx
	t.Cleanup(func() { cancel(); <-done })

	page := testkit.OpenBrowser(t, c.url+"/", 0, 0)
	page.Allow("WebSocket connection to")
	page.Wait(`document.querySelector('#user') !== null && document.activeElement.id === 'user'`)
	page.Press("root\t" + c.tokens["root"] + "\r")
	page.Wait(`document.documentElement?.dataset.broker === 'up' && document.querySelector('[data-part=enrol]').checkVisibility()`)
	page.Click(`#account [data-part=enrol]`)
	page.Wait(`document.activeElement.id === 'enrol-camera'`)
	page.Press("front\r")
	page.Wait(`document.querySelector('dialog.box [data-part=line]').textContent.startsWith('camqtt node --join camqtt1.front.')`)
	page.Wait(`/Good for (10:00|9:\d\d)/.test(document.querySelector('dialog.box [data-part=left]').textContent) && document.querySelector('dialog.box .qr').width === 33`)
	if dir := os.Getenv("PAGE_SHOTS"); dir != "" {
		page.Screenshot(filepath.Join(dir, "enrol.png"))
		page.Viewport(390, 844)
		page.Media("prefers-color-scheme", "dark")
		page.Screenshot(filepath.Join(dir, "enrol-phone.png"))
	}
	page.Viewport(390, 844)
	if wide := testkit.Eval[bool](page, `document.querySelector('dialog.box').scrollWidth > innerWidth`); wide {
		t.Error("the dialog is wider than a phone")
	}
	page.Press("\x1b")
	page.Wait(`document.querySelector('dialog[open]') === null && document.querySelector('dialog.box [data-part=line]').textContent === ''`)
	s.life = 1500 * time.Millisecond
	page.Click(`#account [data-part=enrol]`)
	page.Wait(`document.activeElement.id === 'enrol-camera'`)
	page.Press("\b\b\b\b\bside\r")
	page.Wait(`document.querySelector('dialog.box [data-part=left]').textContent === 'Expired.' && document.querySelector('dialog.box [data-part=line]').textContent === ''`)
}
