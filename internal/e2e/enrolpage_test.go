package e2e

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"time"
)

// An admin adds a camera in the page: what it answers lets the camera's machine in.
func TestJoiningByThePage(t *testing.T) {
	t.Parallel()
	h := startEnrolment(t)
	ask := func(user, secret, id string) (*http.Response, []byte) {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, "https://"+h.https+"/api/enrol", strings.NewReader(`{"id":"`+id+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.SetBasicAuth(user, secret)
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		if _, err := b.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp, b.Bytes()
	}
	resp, body := ask("boss", h.boss, "front")
	var got struct {
		Join    string    `json:"join"`
		QR      []byte    `json:"qr"`
		Expires time.Time `json:"expires"`
	}
	if err := json.Unmarshal(body, &got); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %s", resp.Status, err, body)
	}
	if _, err := png.Decode(bytes.NewReader(got.QR)); err != nil {
		t.Errorf("the QR code: %v", err)
	}
	if left := time.Until(got.Expires); left < 9*time.Minute || left > 10*time.Minute {
		t.Errorf("it is good for %s", left)
	}
	n := h.comes(t, "node", "--join", got.Join, "--state", t.TempDir(), "--source", "test:")
	h.shows(t, "front")
	interrupt(t, n)
	if resp, body := ask("boss", h.boss, "front"); resp.StatusCode != http.StatusConflict || !bytes.Contains(body, []byte("user rm front")) {
		t.Errorf("one that is there already: %s, %s", resp.Status, body)
	}
	op := secretOf(t, "user", "add", "op", "--role", "operator", "--data", h.data)
	if resp, body := ask("op", op, "yard"); resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("an operator: %s, %s", resp.Status, body)
	}
	if strings.Contains(h.Err(), got.Join[:60]) || strings.Contains(h.Err(), got.Join[60:]) {
		t.Errorf("the join string is in the log\n%s", h.Err())
	}
}
