package dashboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"camqtt/dashboard/internal/login"
	"camqtt/dashboard/internal/respond"
	"camqtt/internal/access"
	"camqtt/internal/inuse"
	"camqtt/internal/strictjson"
	"camqtt/internal/wire"
)

// Invitation is what a new camera needs to come in once.
type Invitation struct {
	Join    string    // what camqtt node --join takes
	QR      []byte    // Join as a PNG; nil is none
	Expires time.Time // Join is of no use from then on
}

// Enroller makes accounts for cameras that do not exist yet.
type Enroller interface {
	// Invite lets a camera of a new id come in once. Its errors are told to the
	// admin who asked: they say what to do.
	Invite(ctx context.Context, by access.Principal, id wire.ID) (Invitation, error)
}

// Users changes the accounts. Errors are told to the admin who asked.
type Users interface {
	List() ([]access.Account, error)
	// Add makes an account; without a password it makes one, or a token where the
	// account asks for that, and returns it. It wraps [access.ErrExists].
	Add(a access.Account, password string) (made string, err error)
	// Remove wraps [access.ErrUnknown].
	Remove(name string) error
}

// accounts has the paths with which admins manage accounts and add cameras.
type accounts struct {
	users Users
	enrol Enroller
	log   *slog.Logger
}

// maxJSON bounds the JSON that admins send, in bytes.
const maxJSON = 64 << 10

// readJSON reads the JSON of a request. A form of another site cannot send that type
// without asking first. false: it has answered.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		respond.Text(w, http.StatusUnsupportedMediaType, "want a JSON object, Content-Type: application/json")
		return false
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxJSON))
	if err == nil {
		err = strictjson.Unmarshal(text, into)
	}
	if err != nil {
		respond.Text(w, http.StatusBadRequest, "the JSON cannot be read: %s", err)
		return false
	}
	return true
}

// failed answers for what could not be done with the accounts, if that is so.
func failed(w http.ResponseWriter, err error) bool {
	status := http.StatusUnprocessableEntity
	switch {
	case err == nil:
		return false
	case errors.Is(err, access.ErrExists), errors.Is(err, inuse.ErrInUse):
		status = http.StatusConflict
	case errors.Is(err, access.ErrUnknown):
		status = http.StatusNotFound
	}
	respond.Text(w, status, "%s", err)
	return true
}

// invite answers with what adds a camera.
func (a *accounts) invite(w http.ResponseWriter, r *http.Request) {
	var q struct {
		ID string `json:"id"`
	}
	if !readJSON(w, r, &q) {
		return
	}
	id, err := wire.ParseID(q.ID)
	if err != nil {
		respond.Text(w, http.StatusBadRequest, "%s", err)
		return
	}
	v := login.UserOf(r)
	i, err := a.enrol.Invite(r.Context(), v.Principal, id)
	if failed(w, err) {
		return
	}
	a.log.Info("camera invited", "camera", id, "by", v.Name)
	respond.JSON(w, struct {
		Join    string    `json:"join"`
		QR      []byte    `json:"qr"` // base64, as encoding/json has it
		Expires wire.Time `json:"expires"`
		Role    string    `json:"role"`
	}{i.Join, i.QR, wire.At(i.Expires), access.Camera.String()})
}

// account is an [access.Account] in /api/users.
type account struct {
	Name    string    `json:"name"`
	Role    string    `json:"role"`
	All     bool      `json:"all"`
	Cameras []wire.ID `json:"cameras"`
	Token   bool      `json:"token"`
	Changed wire.Time `json:"changed"`
	Self    bool      `json:"self"` // the account of the user who asks
}

func (a *accounts) list(w http.ResponseWriter, r *http.Request) {
	all, err := a.users.List()
	if err != nil {
		respond.Text(w, http.StatusInternalServerError, "%s", err)
		return
	}
	out := []account{}
	for _, one := range all {
		ids := append([]wire.ID{}, one.Cameras...) // [] in JSON, not null
		out = append(out, account{
			Name: one.Name, Role: one.Role.String(), All: one.All || one.Role == access.Admin, Cameras: ids,
			Token: one.Token, Changed: one.Changed, Self: one.Name == login.UserOf(r).Name,
		})
	}
	respond.JSON(w, out)
}

func (a *accounts) add(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Name     string   `json:"name"`
		Role     string   `json:"role"`
		Cameras  []string `json:"cameras"`  // ids, or "*" alone for all
		Password string   `json:"password"` // "" makes one
	}
	if !readJSON(w, r, &q) {
		return
	}
	role, err := access.ParseRole(q.Role)
	if err != nil {
		respond.Text(w, http.StatusBadRequest, "%s", err)
		return
	}
	added := access.Account{Name: q.Name, Role: role, Token: role.ForDevice()}
	if err = setCameras(&added, q.Cameras); err == nil {
		err = access.CheckAccount(added)
	}
	if err != nil {
		respond.Text(w, http.StatusBadRequest, "%s", err)
		return
	}
	made, err := a.users.Add(added, q.Password)
	if failed(w, err) {
		return
	}
	a.log.Info("account added", "user", added.Name, "role", role.String(), "by", login.UserOf(r).Name)
	respond.JSON(w, struct {
		Secret string `json:"secret"` // shown now and never again; "" when it was chosen
	}{made})
}

// setCameras says which cameras a new account is for. No list is an error, not all of
// them: a list that was forgotten must not open every camera.
func setCameras(a *access.Account, ids []string) error {
	switch {
	case len(ids) == 0:
		return fmt.Errorf(`account %.80q: no cameras: want a list of ids, or ["*"] for all`, a.Name)
	case len(ids) == 1 && ids[0] == "*":
		a.All = true
		return nil
	}
	for _, id := range ids {
		a.Cameras = append(a.Cameras, wire.ID(id))
	}
	return nil
}

// remove removes an account, but not one's own: so there is always an admin left.
func (a *accounts) remove(w http.ResponseWriter, r *http.Request) {
	name, by := r.PathValue("name"), login.UserOf(r).Name
	if name == by {
		respond.Text(w, http.StatusConflict,
			"this is your own account: another admin can remove it, or camqtt user rm on the machine itself")
		return
	}
	if failed(w, a.users.Remove(name)) {
		return
	}
	a.log.Info("account removed", "user", name, "by", by)
	w.WriteHeader(http.StatusNoContent)
}
