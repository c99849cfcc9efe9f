package camera

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Probe asks a host for the pictures that cameras with HTTP commonly have, and
// lists what answers with a JPEG or a stream of them. An error means that
// nothing answered at all.
func Probe(ctx context.Context, host string) ([]Found, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	client := &http.Client{Timeout: 4 * time.Second}
	defer client.CloseIdleConnections()
	var found []Found
	var last error
	answered := false
	for _, path := range []string{":81/stream", "/capture", "/snapshot.jpg", "/cam.jpg"} {
		url := "http://" + host + path
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return nil, fmt.Errorf("host %s: %w", clean(host), err)
		}
		answer, err := client.Do(r)
		if err != nil {
			last = err
			continue
		}
		_ = answer.Body.Close() // what it is has been said in the header
		answered = true
		kind := strings.ToLower(answer.Header.Get("Content-Type"))
		if answer.StatusCode == http.StatusOK && (strings.HasPrefix(kind, "image/jpeg") || strings.HasPrefix(kind, "multipart/x-mixed-replace")) {
			found = append(found, Found{Source: url})
		}
	}
	if !answered {
		return nil, fmt.Errorf("host %s: nothing answers over HTTP: %w", clean(host), last)
	}
	return found, nil
}
