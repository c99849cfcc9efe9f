package access_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"camqtt/internal/access"
	"camqtt/internal/wire"
)

// TestSingleFaults changes an accounts file in one byte: it says the same as before, or it
// is refused. Its version without a checksum is still read.
func TestSingleFaults(t *testing.T) {
	_, file, _ := accounts(t, "")
	want, err := access.List(file)
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for _, c := range []byte{good[i] ^ 1, good[i] ^ 0x20, good[i] + 1, '0', '"', ' '} {
			bad := bytes.Clone(good)
			bad[i] = c
			if err := os.WriteFile(file, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := access.List(file); err == nil && !reflect.DeepEqual(got, want) {
				t.Errorf("byte %d as %q is read as %+v", i, c, got)
			} else if err != nil && !errors.Is(err, access.ErrDamaged) {
				t.Errorf("byte %d as %q: %v", i, c, err)
			}
		}
	}
	before := `{"version":1,"accounts":[{"name":"ann","role":"viewer","cameras":["*"],"secret":"sha256:` + strings.Repeat("a", 64) + `","changed":"2026-01-01T00:00:00.000Z"}]}`
	if err := os.WriteFile(file, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := access.List(file); err != nil || len(all) != 1 || all[0].Name != "ann" {
		t.Errorf("a file of before: %+v, %v", all, err)
	}
}

// TestAccept edits a file by hand: it is not in force before its owner accepts it.
func TestAccept(t *testing.T) {
	_, file, _ := accounts(t, "")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edited := bytes.Replace(good, []byte(`"viewer"`), []byte(`"operator"`), 1)
	if err := os.WriteFile(file, edited, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := access.List(file); !errors.Is(err, access.ErrEdited) || !strings.Contains(err.Error(), "user check") {
		t.Errorf("an edited file: %v", err)
	}
	if err := access.Remove(file, "front"); !errors.Is(err, access.ErrEdited) {
		t.Errorf("it was changed on top: %v", err)
	}
	if all, err := access.Check(file); !errors.Is(err, access.ErrEdited) || len(all) != 2 {
		t.Errorf("looked at: %+v, %v", all, err)
	}
	if _, err := access.Accept(file); err != nil {
		t.Fatal(err)
	}
	all, err := access.List(file)
	if err != nil || len(all) != 2 || all[0].Role != access.Operator {
		t.Errorf("accepted: %+v, %v", all, err)
	}
	if err := os.WriteFile(file, edited[:len(edited)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := access.Accept(file); !errors.Is(err, access.ErrDamaged) {
		t.Errorf("half a file was accepted: %v", err)
	}
}

// TestNamesThatDifferByCase are refused for new accounts; those of before are read.
func TestNamesThatDifferByCase(t *testing.T) {
	_, file, _ := accounts(t, "")
	if _, err := access.Add(file, viewer("Ann"), ""); !errors.Is(err, access.ErrExists) || !strings.Contains(err.Error(), "ann") {
		t.Errorf("Ann beside ann: %v", err)
	}
	front := access.Account{Name: "FRONT", Role: access.Camera, Cameras: []wire.ID{"front"}}
	if err := access.AddToken(file, front, access.NewToken()); !errors.Is(err, access.ErrExists) {
		t.Errorf("FRONT beside front: %v", err)
	}
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(good, []byte(`"name": "front"`), []byte(`"name": "Ann"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := access.Accept(file); err != nil {
		t.Fatal(err)
	}
	all, err := access.List(file)
	if err != nil || len(all) != 2 || !reflect.DeepEqual(access.Alike(all), []string{"Ann", "ann"}) {
		t.Errorf("a pair of before: %+v, %v", all, err)
	}
	if err := access.Remove(file, "Ann"); err != nil {
		t.Error(err)
	}
}
