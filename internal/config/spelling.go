package config

import "strings"

// closest is the name that was most likely meant by got, or "".
func closest(got string, names []string) string {
	if len(got) > 64 {
		return ""
	}
	best, least := "", 3 // more than two slips of the finger are another word
	for _, name := range names {
		a, b := plain(got), plain(name)
		d := distance(a, b)
		if d < least && d*2 < min(len(a), len(b))+1 {
			best, least = name, d
		}
	}
	return best
}

// plain takes away what spellings of one name differ in: snapEvery, snap-every.
func plain(s string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(s))
}

// distance counts the letters that are to be put in, taken out, changed or
// swapped with their neighbour to make b of a.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row
		row = make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+change)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before = last
	}
	return row[len(b)]
}
