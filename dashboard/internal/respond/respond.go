// Package respond writes the answers of the dashboard that are text or JSON.
package respond

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// Text answers with one line of text. Errors are answered with it too: the text says
// what is wrong and what to do.
func Text(w http.ResponseWriter, status int, format string, args ...any) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, format+"\n", args...)
}

// JSON answers with a value that no cache keeps. A value that is no JSON is a fault of
// the program and is answered so.
func JSON(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		Text(w, http.StatusInternalServerError, "the answer cannot be written: %s", err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	_, _ = w.Write(append(body, '\n'))
}
