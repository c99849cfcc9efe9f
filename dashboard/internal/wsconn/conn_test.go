package wsconn

import "testing"

func TestAppendHead(t *testing.T) {
	s := &Conn{}
	for n, want := range map[int]string{
		0: "\x82\x00", 125: "\x82\x7d", 126: "\x82\x7e\x00\x7e", 65535: "\x82\x7e\xff\xff",
		65536: "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
	} {
		if got := string(s.AppendHead([]byte("x"), n)); got != "x"+want {
			t.Errorf("AppendHead(%d) = %q, want %q", n, got, "x"+want)
		}
	}
}
