package httpcam

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"camqtt/internal/jpeg"
	"camqtt/internal/redact"
	"camqtt/internal/testkit/cameratest"
	"camqtt/internal/testkit/faketime"
	"camqtt/node/camera"
)

// FuzzHTTPAnswer gives one and the same answer to every request, to an address in
// full and to a bare host: whatever it is, pictures that come are whole, and errors
// are ours and can be shown.
func FuzzHTTPAnswer(f *testing.F) {
	pic := string(cameratest.Drawn(f, 1))
	length := fmt.Sprintf("Content-Length: %d\r\n", len(pic))
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n" + length + "X-Timestamp: 5.000001\r\nContent-Disposition: inline; filename=capture.jpg\r\n\r\n" + pic,
		"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=" + espBoundary + "\r\n\r\n--" + espBoundary + "\r\nContent-Type: text/plain\r\n\r\nNo frames send.\r\n--" + espBoundary + "\r\nContent-Type: image/jpeg\r\n" + length + "\r\n" + pic,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"framesize\":8,\"quality\":12,\"lamp\":-1,\"cam_name\":\"\x1b[1m\",\"stream_url\":\"http://evil:9/\"}",
		"HTTP/1.1 200 OK\r\nServer: Tasmota/1\r\nContent-type: text/html\r\n\r\n<html>",
		"HTTP/1.1 401 x\r\nWWW-Authenticate: Digest realm=a,nonce=\"b\",qop=\"auth\",algorithm=MD5,stale=true\r\n\r\n",
		"HTTP/1.1 302 x\r\nLocation: http://elsewhere/\r\n\r\n",
		"HTTP/1.1 304 x\r\nEtag: x\r\n\r\n",
	} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, answer []byte, bare bool) {
		faketime.Run(t, func(t *testing.T) { // a camera that says nothing is waited for
			tr := &http.Transport{MaxConnsPerHost: 1, MaxResponseHeaderBytes: maxHeader, DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
				if host, _, _ := net.SplitHostPort(addr); host != "esp32" {
					t.Errorf("connects to %q", addr)
				}
				near, far := net.Pipe()
				go func() { // ends when the answer is written or not wanted
					defer far.Close()
					if _, err := far.Read(make([]byte, 4096)); err == nil {
						_, _ = far.Write(answer)
					}
				}()
				return near, nil
			}}
			defer tr.CloseIdleConnections()
			source := "http://a:geheim@esp32/"
			if !bare {
				source += "capture"
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			n := 0
			err := open(t, source, camera.Options{HTTPClient: &http.Client{Transport: tr}, MaxPicture: 1 << 16}).Stream(ctx, camera.Mode{Width: 320, Height: 240, FPS: 240}, func(p camera.Frame) {
				if in, err := jpeg.Scan(p.JPEG); err != nil || in.Len != len(p.JPEG) {
					t.Errorf("a picture of %d bytes: %v", len(p.JPEG), err)
				}
				if n++; n > 6 {
					cancel()
				}
			})
			if err == nil && ctx.Err() == nil {
				t.Error("Stream ended by itself without an error")
			}
			if err != nil && (camera.CodeOf(err) == "" || redact.Line(err.Error()) != err.Error() && len(err.Error()) <= redact.MaxLine) {
				t.Errorf("%q is not fit to be shown", err)
			}
		})
	})
}
