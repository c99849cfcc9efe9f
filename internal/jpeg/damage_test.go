package jpeg

import (
	"bytes"
	"fmt"
	stdjpeg "image/jpeg"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// damages are what happens to pictures on their way. Each takes a copy of one
// and where its data begins, and leaves the markers around it as they are.
func damages() []struct {
	name string
	do   func(b []byte, data int, rng *rand.Rand) []byte
} {
	lost := func(n int) func([]byte, int, *rand.Rand) []byte {
		return func(b []byte, data int, rng *rand.Rand) []byte {
			at := data + rng.IntN(len(b)-data-n-2)
			return slices.Delete(b, at, at+n)
		}
	}
	return []struct {
		name string
		do   func([]byte, int, *rand.Rand) []byte
	}{
		{"cut, no end", func(b []byte, data int, rng *rand.Rand) []byte { return b[:data+rng.IntN(len(b)-data-2)] }},
		{"half, then the end", func(b []byte, data int, rng *rand.Rand) []byte {
			at := data + (len(b)-data)/2 + rng.IntN(64)
			if b[at-1] == 0xff {
				at++ // or the end would not be seen as such
			}
			return append(b[:at], 0xff, mEOI)
		}},
		{"512 bytes lost", lost(512)},
		{"1 KiB zeroed", func(b []byte, data int, rng *rand.Rand) []byte {
			clear(b[data+rng.IntN(len(b)-data-1026):][:1024])
			return b
		}},
		{"32 bytes lost", lost(32)},
		{"1 bit flipped", func(b []byte, data int, rng *rand.Rand) []byte {
			b[data+rng.IntN(len(b)-data-2)] ^= 1 << rng.IntN(8)
			return b
		}},
	}
}

// caught counts in how many of so many trials each way of looking sees a damage.
func caught(t testing.TB, pics [][]byte, trials int) (rows []string, walked map[string]float64) {
	rng := rand.New(rand.NewPCG(1, 2))
	var w Walker
	walked = map[string]float64{}
	for _, d := range damages() {
		var marks, deep, full int
		for i := range trials {
			pic := pics[i%len(pics)]
			b := d.do(slices.Clone(pic), mustScan(t, pic).sos+14, rng)
			if in, err := Scan(b); err != nil || in.Len != len(b) {
				marks++
			}
			if c, err := w.Walk(b); err != nil || c.Len != len(b) {
				deep++
			}
			if _, err := stdjpeg.Decode(bytes.NewReader(b)); err != nil {
				full++
			}
		}
		percent := func(n int) float64 { return 100 * float64(n) / float64(trials) }
		walked[d.name] = percent(deep)
		rows = append(rows, fmt.Sprintf("%-20s %12.0f %8.0f %11.0f", d.name, percent(marks), percent(deep), percent(full)))
	}
	return rows, walked
}

// A walk must see what ruins a picture: every cut one, and all but a few where
// more than a block is gone.
func TestDamageIsCaught(t *testing.T) {
	var pics [][]byte
	for seed := range uint64(3) {
		pics = append(pics, encode(t, 160, 120, seed))
	}
	_, got := caught(t, pics, 100)
	for name, least := range map[string]float64{
		"cut, no end": 100, "half, then the end": 100, "512 bytes lost": 97, "1 KiB zeroed": 97, "32 bytes lost": 50,
	} {
		if got[name] < least {
			t.Errorf("%s: %.0f %% caught, want %.0f", name, got[name], least)
		}
	}
}

// BenchmarkDamage prints how much of each damage is seen, in percent:
// go test -run '^$' -bench Damage -benchtime 1x ./internal/jpeg
func BenchmarkDamage(b *testing.B) {
	var pics [][]byte
	for seed := range uint64(6) {
		pics = append(pics, encode(b, 640, 480, seed))
	}
	rows, _ := caught(b, pics, 600)
	b.ReportMetric(0, "ns/op")
	b.Logf("%% of 600 damaged VGA pictures of %d bytes that are noticed\n%-20s %12s %8s %11s\n%s",
		len(pics[0]), "", "marker walk", "DC walk", "image/jpeg", strings.Join(rows, "\n"))
}
