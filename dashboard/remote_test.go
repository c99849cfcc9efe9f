package dashboard

import (
	"bytes"
	"context"
	"errors"
	"net"
	"testing"

	"github.com/gorilla/websocket"

	"camqtt/internal/testkit/packet"
)

func TestRemoteWithoutABroker(t *testing.T) {
	var counts RemoteCounts
	s := serve(t, Options{Attach: Remote(RemoteOptions{Counts: &counts, Dial: func(context.Context) (net.Conn, error) {
		return nil, errors.New("connection refused")
	}})})
	_, _, err := mustDialWS(t, s).ReadMessage()
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != websocket.CloseTryAgainLater || closed.Text != "the broker cannot be reached" {
		t.Errorf("%v, want close 1013 that says why", err)
	}
	if n := counts.DialFailures.Load(); n != 1 {
		t.Errorf("%d failures counted, want 1", n)
	}
	if err := Remote(RemoteOptions{})(context.Background(), &net.TCPConn{}); err == nil {
		t.Error("Remote without Dial gave no error")
	}
}

func TestRemoteDeliversABrokersLastWord(t *testing.T) {
	s := serve(t, Options{Attach: Remote(RemoteOptions{Dial: func(context.Context) (net.Conn, error) {
		up, broker := net.Pipe()
		go func() { // ends when the browser has sent something
			_, _ = broker.Read(make([]byte, 100))
			_, _ = broker.Write([]byte{0x20, 2, 0, 5}) // not authorized
			broker.Close()
		}()
		return up, nil
	}})})
	ws := mustDialWS(t, s)
	_ = ws.WriteMessage(websocket.BinaryMessage, packet.Connect(4, "id"))
	if _, b, err := ws.ReadMessage(); err != nil || !bytes.Equal(b, []byte{0x20, 2, 0, 5}) {
		t.Errorf("%q %v, want the refusal", b, err)
	}
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("%v, want close 1001", err)
	}
}
