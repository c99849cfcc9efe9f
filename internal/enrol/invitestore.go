package enrol

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"camqtt/internal/cert"
	"camqtt/internal/securefile"
	"camqtt/internal/strictjson"
	"camqtt/internal/wire"
)

// FileName is the file of invitations in the broker's data folder.
const FileName = "invitations.json"

// What an invitation is worth.
const (
	Life  = 10 * time.Minute // from when it was made
	tries = 5

	remembered = 24 * time.Hour // so that who comes late is told why
	mostKept   = 64
	version    = 1
)

// Why an invitation is not taken, and other ways in which coming in can end.
var (
	ErrUnknown  = errors.New("the hub does not know this invitation, or it is long past")
	ErrWrong    = errors.New("the secret of this invitation is wrong")
	ErrSpent    = errors.New("this invitation was tried with wrong secrets too often and is void")
	ErrExpired  = errors.New("this invitation has expired: it was good for ten minutes")
	ErrUsed     = errors.New("this invitation was used already: each is good once")
	ErrReplaced = errors.New("a newer invitation for this camera has taken the place of this one")
	ErrExists   = errors.New("the hub has an account of this camera already, which stays as it is")
	ErrInUse    = errors.New("the hub has a camera of this id already, its own or one that is online")
	ErrSlow     = errors.New("too many wrong tries from this address: wait a minute")
)

// ErrNoHub is a data folder in which no hub has left how to reach it.
var ErrNoHub = errors.New("no hub has run with this data folder")

// ErrNoTLS is a hub that speaks no TLS.
var ErrNoTLS = errors.New("the hub speaks no TLS, or has no certificate yet, so what a camera's machine is told could be read on the way")

var errDamaged = errors.New("is damaged")

// InviteStore is the file of a hub's invitations: its [FileName] in a data folder. It is read
// at every use, so that what other processes write counts at once.
type InviteStore string

// invitation is one as it stands in the file. Of the secret only the SHA-256 is kept;
// it has 128 random bits.
type invitation struct {
	ID      string    `json:"id"`
	Camera  wire.ID   `json:"camera"`
	Secret  string    `json:"secret"`
	Expires time.Time `json:"expires"`
	Left    int       `json:"tries_left"`
	State   string    `json:"state,omitempty"` // "" is open; used or replaced
}

// endpointJSON is an [Endpoint] as it stands in the file.
type endpointJSON struct {
	Pin    string   `json:"pin"`
	Listen string   `json:"listen"`
	Names  []string `json:"names,omitempty"`
	Public bool     `json:"public,omitempty"`
	Scheme string   `json:"scheme"`
}

type inviteFile struct {
	Version     int           `json:"version"`
	Endpoint    *endpointJSON `json:"door"` // null: the hub speaks no TLS
	Invitations []*invitation `json:"invitations"`
}

// parseFile reads the file's text.
func parseFile(text []byte) (*inviteFile, error) {
	p := new(inviteFile)
	if err := strictjson.Unmarshal(text, p); err != nil {
		return nil, err
	}
	if p.Version != version {
		return nil, fmt.Errorf("version %d: want %d", p.Version, version)
	}
	if slices.Contains(p.Invitations, nil) {
		return nil, errors.New("an invitation is null")
	}
	return p, nil
}

func (b InviteStore) read() (*inviteFile, error) {
	text, err := securefile.ReadSecret(string(b))
	if err != nil {
		return nil, fmt.Errorf("read invitations: %w", err)
	}
	p, err := parseFile(text)
	if err != nil {
		return nil, fmt.Errorf("read invitations: %s: %w: %w; remove it, and the hub makes it anew when it starts", b, errDamaged, err)
	}
	return p, nil
}

// edit changes the file, alone in doing so. An error of f leaves it as it is, unless
// it is one of those that f wants to be kept.
func (b InviteStore) edit(f func(*inviteFile) (keep bool, err error)) error {
	release, err := securefile.Lock(string(b))
	if err != nil {
		return fmt.Errorf("change invitations: %w", err)
	}
	defer release()
	securefile.Sweep(string(b))
	p, err := b.read()
	if errors.Is(err, fs.ErrNotExist) {
		p, err = &inviteFile{Version: version}, nil
	}
	if err != nil {
		return err
	}
	keep, err := f(p)
	if !keep {
		return err
	}
	text, writeErr := json.MarshalIndent(p, "", "  ")
	if writeErr == nil {
		writeErr = securefile.Replace(string(b), append(text, '\n'))
	}
	if writeErr != nil {
		return fmt.Errorf("write invitations: %w", writeErr)
	}
	return err
}

// publish says how the hub is reached; nil: it is not. A damaged file gives way to a
// new one: what it held was good for minutes.
func (b InviteStore) publish(d *Endpoint) error {
	if err := os.MkdirAll(filepath.Dir(string(b)), 0o700); err != nil {
		return fmt.Errorf("make the folder for invitations: %w", err)
	}
	if _, err := b.read(); errors.Is(err, errDamaged) {
		if err := os.Remove(string(b)); err != nil {
			return fmt.Errorf("remove damaged invitations: %w", err)
		}
	}
	return b.edit(func(p *inviteFile) (bool, error) {
		p.Endpoint = nil
		if d != nil {
			p.Endpoint = &endpointJSON{Pin: d.Pin.String(), Listen: d.Listen, Names: d.Names, Public: d.Public, Scheme: d.Scheme}
		}
		return true, nil
	})
}

// Endpoint is how the hub is reached that has run here last. Its errors wrap [ErrNoHub] and
// [ErrNoTLS].
func (b InviteStore) Endpoint() (Endpoint, error) {
	p, err := b.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Endpoint{}, fmt.Errorf("%w (%s is missing)", ErrNoHub, b)
	case err != nil:
		return Endpoint{}, err
	case p.Endpoint == nil:
		return Endpoint{}, ErrNoTLS
	}
	pin, err := cert.ParsePin(p.Endpoint.Pin)
	if err != nil {
		return Endpoint{}, fmt.Errorf("read invitations: %w", err)
	}
	return Endpoint{Pin: pin, Listen: p.Endpoint.Listen, Names: p.Endpoint.Names, Public: p.Endpoint.Public, Scheme: p.Endpoint.Scheme}, nil
}

// Invitation is what a person hands on.
type Invitation struct {
	Code    Code
	Expires time.Time
}

// Invite makes an invitation for a camera. An older one for the same camera is void
// from then on. addresses are hosts, with or without a port, that stand in the place of
// those that the hub has by itself.
func (b InviteStore) Invite(camera wire.ID, addresses []string) (Invitation, error) {
	d, err := b.Endpoint()
	if err != nil {
		return Invitation{}, err
	}
	if addresses, err = d.Addresses(addresses); err != nil {
		return Invitation{}, err
	}
	c := newCode(camera, d, addresses)
	now := time.Now()
	sum := sha256.Sum256(c.Secret[:])
	in := &invitation{ID: c.Invitation(), Camera: camera, Secret: hex.EncodeToString(sum[:]), Expires: now.Add(Life).UTC().Truncate(time.Second), Left: tries}
	err = b.edit(func(p *inviteFile) (bool, error) {
		p.Invitations = slices.DeleteFunc(p.Invitations, func(i *invitation) bool { return now.Sub(i.Expires) > remembered })
		for _, i := range p.Invitations {
			if i.Camera == camera && i.State == "" {
				i.State = "replaced"
			}
		}
		p.Invitations = append(p.Invitations, in)
		p.Invitations = p.Invitations[max(0, len(p.Invitations)-mostKept):]
		return true, nil
	})
	return Invitation{Code: c, Expires: in.Expires}, err
}

// redeem uses an invitation up and gives the camera that it is for. right says whether
// the secret was, whatever the error.
func (b InviteStore) redeem(id string, secret []byte, now time.Time) (camera wire.ID, right bool, err error) {
	if p, err := b.read(); err == nil && p.find(id) == nil { // costs no writing, so any request may ask
		return "", false, ErrUnknown
	}
	err = b.edit(func(p *inviteFile) (bool, error) {
		i := p.find(id)
		if i == nil {
			return false, ErrUnknown
		}
		if i.Left <= 0 {
			return false, ErrSpent
		}
		sum := sha256.Sum256(secret)
		want, err := hex.DecodeString(i.Secret)
		if err != nil || subtle.ConstantTimeCompare(want, sum[:]) != 1 {
			i.Left--
			return true, ErrWrong
		}
		right = true
		switch left := i.Expires.Sub(now); {
		case i.State == "used":
			return false, ErrUsed
		case i.State != "":
			return false, ErrReplaced
		case left <= 0 || left > Life: // or the clock was set back
			return false, ErrExpired
		}
		i.State, camera = "used", i.Camera
		return true, nil
	})
	return camera, right, err
}

func (p *inviteFile) find(id string) *invitation {
	for _, i := range p.Invitations {
		if i.ID == id {
			return i
		}
	}
	return nil
}
