package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"camqtt/internal/inuse"
	"camqtt/internal/testkit"
)

// While a hub runs no account is made for a camera that it serves itself, or that is
// online, whatever the command was told of the hub.
func TestNoAccountForCameraInUse(t *testing.T) {
	data := t.TempDir()
	port := testkit.FreePort(t)
	ctx, stop := context.WithCancel(t.Context())
	hub := []string{"-c", fmt.Sprint("broker.listen=127.0.0.1:", port), "-c", "broker.data=" + data}
	ended := make(chan int, 2)
	go func() { // ends with ctx
		ended <- Main(ctx, Process{Args: append([]string{
			"camqtt", "run", "-c", "cameras=[{id: front, source: 'test:'}]", "-c", "state=",
		}, hub...), Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer)})
	}()
	go func() { // ends with ctx
		ended <- Main(ctx, Process{Args: []string{
			"camqtt", "node", "porch", "--source", "test:", "--state", "", "--broker", fmt.Sprint("mqtt://127.0.0.1:", port),
		}, Stdout: new(bytes.Buffer), Stderr: new(bytes.Buffer)})
	}()
	defer func() {
		stop()
		<-ended
		<-ended
	}()
	for l := (inuse.List{}); len(l.Served) == 0 || len(l.Online) == 0; {
		var err error
		if l, err = inuse.Read(data); err != nil {
			t.Fatal(err)
		}
		select {
		case code := <-ended:
			t.Fatalf("a program ended with %d", code)
		case <-time.After(10 * time.Millisecond):
		}
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"add", "front", "--role", "camera", "--data", data}, 1, "the hub's own configuration"},
		{[]string{"add", "new", "--role", "bridge", "--camera", "shed,front", "--data", data}, 1, "camera front"},
		{[]string{"add", "--camera", "front", "--data", data}, 1, "the hub's own configuration"},
		{[]string{"add", "--camera", "front", "--token", "--data", data}, 1, "the hub's own configuration"},
		{[]string{"add", "porch", "--role", "camera", "--data", data}, 1, "it is online"},
		{[]string{"add", "--camera", "porch", "--data", data}, 1, "it is online"},
		{[]string{"add", "shed", "--role", "camera", "--data", data}, 0, "shed"},
		{[]string{"set", "shed", "--role", "bridge", "--camera", "shed,front", "--data", data}, 1, "camera front"},
		{[]string{"add", "ann", "--role", "viewer", "--camera", "front,porch", "--data", data}, 0, "ann"},
	} {
		var out, errs bytes.Buffer
		code := Main(t.Context(), Process{Args: append([]string{"camqtt", "user"}, c.args...), Stdout: &out, Stderr: &errs})
		if code != c.code || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%q: exit %d: %s, want %d and %q", c.args, code, errs.String(), c.code, c.want)
		}
	}
}
