package httpcam

import (
	"fmt"
	"io"
	"net"
	"time"
)

// esphome has one path; without a stream it is in mode snapshot.
func (b *espBoard) esphome(c net.Conn, at string) bool {
	if at != "80 /" {
		return send(c, "404 Not Found", "text/html", "", []byte("Nothing matches the given URI"))
	}
	if b.noStream { // mode: snapshot
		s, ok := b.get()
		if !ok {
			<-time.After(5 * time.Second)
			return send(c, "500 Internal Server Error", "text/html", "", []byte("Server has encountered an unexpected error"))
		}
		return send(c, "200 OK", "image/jpeg", "Content-Disposition: inline; filename=capture.jpg\r\n", s.jpeg)
	}
	defer b.watch()()
	_, err := io.WriteString(c, "HTTP/1.0 200 OK\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n"+
		"Content-Type: multipart/x-mixed-replace;boundary="+espBoundary+"\r\n\r\n--"+espBoundary+"\r\n")
	for n := 0; err == nil; n++ {
		s, ok := b.get()
		if !ok {
			<-time.After(5 * time.Second)
			if n == 0 {
				_, _ = io.WriteString(c, "Content-Type: text/plain\r\n\r\nNo frames send.\r\n--"+espBoundary+"\r\n")
			}
			return false
		}
		_, err = fmt.Fprintf(c, "Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n--%s\r\n", len(s.jpeg), s.jpeg, espBoundary)
		b.rest()
	}
	return false
}

func (b *espBoard) tasmota(c net.Conn, at string) bool {
	const server = "Server: Tasmota/14.2.0 (ESP32-D0WDQ6-v1.0)\r\n"
	const sep = "--e8b8c539-047d-4777-a985-fbba6edff11e"
	switch at {
	case "80 /":
		return send(c, "200 OK", "text/html", server, []byte("<!DOCTYPE html><html>"))
	case "80 /wc.jpg", "80 /wc.mjpeg", "80 /snapshot.jpg":
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-disposition: inline; filename=cap.jpg\r\nContent-type: image/jpeg\r\n\r\n")
		s, ok := b.get()
		if !ok || err != nil {
			_, _ = io.Copy(io.Discard, c) // it forgets the client
			return false
		}
		for range 2 { // it throws away two by itself
			s, _ = b.get()
		}
		_, _ = c.Write(s.jpeg)
		return false
	case "81 /":
		_, _ = io.WriteString(c, "HTTP/1.1 302 Found\r\nLocation: /cam.mjpeg\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		return false
	case "81 /cam.mjpeg", "81 /stream", "81 /cam.jpg":
		defer b.watch()()
		_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary="+sep[2:]+"\r\n\r\n")
		for err == nil {
			s, ok := b.get()
			if !ok {
				return false
			}
			_, err = fmt.Fprintf(c, "%s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", sep, len(s.jpeg), s.jpeg)
			b.rest()
		}
		return false
	}
	return send(c, "404 Not Found", "text/plain", server, []byte("File Not Found\n\nURI: "+at))
}
