package e2e

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"camqtt/internal/testkit"
)

// hold keeps everything that the page asks for on its way, as a slow server does, until
// release, which returns when all has been answered.
func hold(b *testkit.Browser) (release func()) {
	testkit.Eval[bool](b, `(() => {
		const real = window.fetch;
		window.held = [];
		window.fetch = (...asked) => new Promise((resolve) => held.push(() => {
			const answer = real(...asked);
			resolve(answer);
			return answer;
		}));
		window.release = () => {
			window.fetch = real;
			return Promise.all(held.map((go) => go())).then(() => true);
		};
		return true;
	})()`)
	return func() { testkit.Eval[bool](b, `release()`) }
}

// reads fails the test when js is not what it should be.
func reads(t *testing.T, b *testkit.Browser, js, want string) {
	t.Helper()
	if got := testkit.Eval[string](b, js); got != want {
		t.Errorf("%s is %q, want %q", js, got, want)
	}
}

// openAccounts logs an admin in and opens the dialog, with the accounts root and ann.
func openAccounts(t *testing.T) *testkit.Browser {
	t.Helper()
	data := t.TempDir()
	root := secretOf(t, "user", "add", "root", "--role", "admin", "--data", data)
	secretOf(t, "user", "add", "ann", "--role", "viewer", "--data", data)
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data="+data, "cameras.porch.source=test:")
	b := testkit.OpenBrowser(t, h.http+"/", 0, 0)
	quiet(b)
	logIn(b, "root", root)
	b.Wait(up + ` && ` + frames + ` > 3`)
	b.Click(`#account [data-part=users]`)
	b.Wait(rows(2))
	return b
}

// rows is js that tells whether the list has so many accounts.
func rows(n int) string {
	return `document.querySelectorAll('dialog.box tbody tr').length === ` + strconv.Itoa(n)
}

// What comes while a person types or aims takes neither keys nor clicks from him.
func TestPageDialogsKeepWhatIsTyped(t *testing.T) {
	t.Parallel()
	b := openAccounts(t)
	b.Click(`[aria-label="Remove ann"]`)
	forAll := `(document.querySelector('#users-cameras').value = '*') && `
	testkit.Eval[bool](b, forAll+`(document.querySelector('#users-name').value = 'bob') && document.querySelector('dialog.box form').requestSubmit() || true`)
	b.Wait(rows(3))
	b.Click(`[aria-label="Remove ann"]`) // the second click, on the same button
	b.Wait(rows(2) + ` && document.querySelector('[aria-label="Remove ann"]') === null`)
	reads(t, b, `document.activeElement.dataset.part`, "close")

	testkit.Eval[bool](b, forAll+`true`)
	release := hold(b)
	b.Click(`#users-name`)
	b.Press("carl\r\r")
	b.Click(`#users-name`)
	testkit.Eval[bool](b, `document.activeElement.select() || true`)
	b.Press("dora")
	release()
	b.Wait(rows(3) + ` && document.querySelector('dialog.box [data-part=whose]').textContent.includes('carl')`)
	reads(t, b, `document.querySelector('#users-name').value`, "dora")
	reads(t, b, `document.querySelector('dialog.box [data-part=trouble]').textContent`, "") // of asking twice

	// What is answered after the dialog has been closed is not shown when it opens again.
	release = hold(b)
	b.Click(`#users-name`)
	b.Press("\r")
	b.Press("\x1b")
	b.Wait(`document.querySelector('dialog[open]') === null`)
	release()
	b.Click(`#account [data-part=users]`)
	b.Wait(`document.querySelector('[aria-label="Remove dora"]') !== null`)
	reads(t, b, `document.querySelector('dialog.box [data-part=line]').textContent`, "")
}

// The dialog stays while somebody drags over a text and past its edge, or meets its
// margin; and no camera opens over it.
func TestPageDialogsStay(t *testing.T) {
	t.Parallel()
	b := openAccounts(t)
	testkit.Eval[bool](b, `(() => {
		const box = document.querySelector('dialog.box');
		const {left, top, bottom} = box.getBoundingClientRect();
		const at = (x) => ({clientX: x, clientY: (top + bottom) / 2, bubbles: true});
		window.from = (e, x) => e.dispatchEvent(new PointerEvent('pointerdown', at(x)));
		window.to = (x) => box.dispatchEvent(new MouseEvent('click', at(x))) && box.open;
		window.inside = left + 4;
		window.beside = left - 20;
		return true;
	})()`)
	for _, c := range []struct {
		what, js string
		open     bool
	}{
		{"a click on its margin", `from(document.querySelector('dialog.box'), inside) && to(inside)`, true},
		{"a drag from a field to beside it", `from(document.querySelector('#users-name'), inside) && to(beside)`, true},
		{"a drag from beside it", `from(document.querySelector('dialog.box'), beside) && to(inside)`, true},
	} {
		if got := testkit.Eval[bool](b, c.js); got != c.open {
			t.Errorf("after %s it is open: %v", c.what, got)
		}
	}
	const large = `document.querySelector('cam-focus dialog').open`
	if testkit.Eval[bool](b, `new Promise((done) => { addEventListener('hashchange', () => done(`+large+`), {once: true}); location.hash = '#porch'; })`) {
		t.Error("a camera opens over what somebody types")
	}
	if testkit.Eval[bool](b, `from(document.querySelector('dialog.box'), beside) && to(beside)`) {
		t.Error("a click beside it does not close it")
	}
	b.Wait(large)
}

// The keyboard stays where it is when a tile moves to the place of its new name, and in
// the large view when the link that has it goes.
func TestPageKeepsFocus(t *testing.T) {
	t.Parallel()
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "cameras.porch.source=test:", "cameras.yard.source=test:")
	b := testkit.OpenBrowser(t, h.http+"/", 0, 0)
	b.Wait(frames + ` > 3 && document.querySelectorAll('cam-tile').length === 2`)
	host, port, err := net.SplitHostPort(strings.TrimPrefix(h.mqtt, "mqtt://"))
	if err != nil {
		t.Fatal(err)
	}
	testkit.Eval[bool](b, `document.querySelector('cam-tile[data-id=yard] [data-part=start]').focus() || true`)
	if _, stderr, status := testkit.Run(t, testkit.Tool(t, "mosquitto_pub"), "-h", host, "-p", port, "-t", "cam/yard/info", "-m", `{"name":"A yard"}`); status != 0 {
		t.Fatal(stderr)
	}
	b.Wait(`document.querySelector('#grid').firstChild.dataset.id === 'yard'`)
	reads(t, b, `document.activeElement.closest('cam-tile')?.dataset.id + ' ' + document.activeElement.dataset.part`, "yard start")

	b.Click(`cam-tile[data-id=porch] [data-part=view]`)
	b.Wait(`document.querySelector('cam-focus').dataset.frames > 0`)
	b.Press("s")
	b.Wait(`!document.querySelector('cam-focus [data-part=save]').hidden`)
	testkit.Eval[bool](b, `document.querySelector('cam-focus [data-part=save]').focus() || true`)
	for _, id := range []string{"yard", "porch"} {
		b.Press("\u0303") // the arrow to the right
		b.Wait(`location.hash === '#` + id + `'`)
	}
}
