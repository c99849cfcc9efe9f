package access

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"camqtt/internal/wire"
)

// Role is the kind of an account. The zero value may do nothing.
type Role byte

// The roles. Those up to Admin are for accounts; the others belong to who comes in
// without one.
const (
	Nobody        Role = iota // may do nothing
	Camera                    // publishes one camera, obeys its commands
	Bridge                    // the same for several cameras
	Viewer                    // sees cameras, gives commands
	Operator                  // changes settings too
	HomeAssistant             // an operator who reads discovery and says when it starts
	Admin                     // everything
	Reader                    // anonymous: sees everything, says nothing
	Anyone                    // anonymous: everything that a client can do
	Hub                       // a part of this program, joined by a pipe
)

// roleNames are those that accounts can have, as they are written.
func roleNames() map[Role]string {
	return map[Role]string{
		Camera: "camera", Bridge: "bridge", Viewer: "viewer", Operator: "operator",
		HomeAssistant: "homeassistant", Admin: "admin",
	}
}

// Roles returns the roles that accounts can have, by rising rights.
func Roles() []Role { return []Role{Camera, Bridge, Viewer, Operator, HomeAssistant, Admin} }

// String returns the role as it is written; those of the anonymous in words.
func (r Role) String() string {
	if s, ok := roleNames()[r]; ok {
		return s
	}
	switch r {
	case Reader, Anyone:
		return "anonymous"
	case Hub:
		return "hub"
	}
	return "nobody"
}

// ParseRole reads the role of an account.
func ParseRole(s string) (Role, error) {
	for _, r := range Roles() {
		if r.String() == s {
			return r, nil
		}
	}
	return Nobody, fmt.Errorf("role %.40q: want camera, bridge, viewer, operator, homeassistant or admin", s)
}

// ForDevice reports whether accounts of a role belong to programs, which get a token
// where people get a password.
func (r Role) ForDevice() bool { return r == Camera || r == Bridge || r == HomeAssistant }

// Principal is an identified client. The zero value has no rights.
type Principal struct {
	Name    string    // of the account; "" where none was needed
	Role    Role      //
	All     bool      // every camera, whatever Cameras says
	Cameras []wire.ID // those that a camera or bridge is, or that another role may see

	entry *entry // nil: not by an account
	free  bool   // let in because there was no account at all
}

// Stamp is different after every change of the account, its secret included, and the
// same in every process. It is "" for who has no account, and says nothing of the
// secret.
func (p Principal) Stamp() string {
	if p.entry == nil {
		return ""
	}
	sum := sha256.Sum256([]byte(fmt.Sprintf("%q %v %t %q %q", p.Name, p.Role, p.All, p.Cameras, p.entry.text)))
	return hex.EncodeToString(sum[:16])
}

// Owns reports whether p may have for itself what old has: a client identifier and
// the session under it. Accounts keep theirs from everybody else. Of those without an
// account, who may do less does not throw out who may do more.
func (p Principal) Owns(old Principal) bool {
	if p.Name != old.Name {
		return false
	}
	return p.Name != "" || p.Role >= old.Role
}

// has reports whether a camera is among those of p.
func (p Principal) has(id string) bool {
	if p.All {
		return wire.IsID(id)
	}
	for _, c := range p.Cameras {
		if string(c) == id {
			return true
		}
	}
	return false
}

// unlimited reports whether every topic that is open to clients is open to p.
func (p Principal) unlimited() bool { return p.Role == Admin || p.Role == Anyone || p.Role == Hub }

// Everything reports whether p may see every camera.
func (p Principal) Everything() bool {
	switch p.Role {
	case Admin, Anyone, Hub, Reader:
		return true
	case Viewer, Operator, HomeAssistant:
		return p.All
	}
	return false
}

// System reports whether p may see what is about the program and not about a camera.
func (p Principal) System() bool { return p.unlimited() || p.Role == Reader }

// Watches reports whether p looks at cameras.
func (p Principal) Watches() bool {
	switch p.Role {
	case Viewer, Operator, HomeAssistant, Admin, Reader, Anyone, Hub:
		return true
	}
	return false
}

// nameForm keeps out what means something in a filter, a pattern of rights, a URL or
// HTTP's Basic authentication.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// CheckName reports what is wrong with the name of an account.
func CheckName(s string) error {
	if !nameForm.MatchString(s) {
		return fmt.Errorf("account name %.80q: want 1 to 64 of a-z A-Z 0-9 . _ @ -, the first a letter or digit", s)
	}
	return nil
}

// Account is an account without its secret.
type Account struct {
	Name    string
	Role    Role
	All     bool      // every camera
	Cameras []wire.ID // else these
	Token   bool      // its secret is a token
	Changed wire.Time // when it was made or last changed
}

// CheckAccount reports what is wrong with an account.
func CheckAccount(a Account) error {
	if err := CheckName(a.Name); err != nil {
		return err
	}
	if _, ok := roleNames()[a.Role]; !ok {
		return fmt.Errorf("account %s: a role that accounts do not have", a.Name)
	}
	for i, id := range a.Cameras {
		if _, err := wire.ParseID(string(id)); err != nil {
			return fmt.Errorf("account %s: %w", a.Name, err)
		}
		if slices.Contains(a.Cameras[:i], id) {
			return fmt.Errorf("account %s: camera %s is listed twice", a.Name, id)
		}
	}
	const most = 1000
	n, role := len(a.Cameras), a.Role
	switch {
	case n > most:
		return fmt.Errorf("account %s: %d cameras: want at most %d", a.Name, n, most)
	case a.All && n > 0:
		return fmt.Errorf("account %s: all cameras, and a list of them: want one of both", a.Name)
	case role == Admin && n > 0:
		return fmt.Errorf("account %s: an admin is for all cameras: want no list of them", a.Name)
	case role == Camera && (n != 1 || a.All):
		return fmt.Errorf("account %s: %d cameras: want one for the role camera; bridge is for several", a.Name, n)
	case role == Bridge && (n == 0 || a.All):
		return fmt.Errorf("account %s: no cameras: want those that the bridge is for", a.Name)
	case role != Admin && n == 0 && !a.All:
		return fmt.Errorf("account %s: no cameras: want some of them, or all", a.Name)
	}
	return nil
}

// Of says in words which cameras an account is for.
func (a Account) Of() string {
	if a.All || a.Role == Admin {
		return "all"
	}
	ids := make([]string, len(a.Cameras))
	for i, id := range a.Cameras {
		ids[i] = string(id)
	}
	return strings.Join(ids, " ")
}
