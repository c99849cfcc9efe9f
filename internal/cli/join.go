package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"camqtt/internal/app"
	"camqtt/internal/enrol"
	"camqtt/internal/securefile"
	"camqtt/internal/usage"
	"camqtt/internal/wire"
)

// joinFlags are what camqtt node can be told of how it comes in.
type joinFlags struct {
	text, file, state string
	only              bool
}

func (j *joinFlags) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&j.text, "join", "", "join string that \"camqtt user add --camera\" prints on the hub; - reads it from standard input, where the list of processes does not show it")
	f.StringVar(&j.file, "join-file", "", "file that holds the join string; credential:NAME is systemd's")
	f.StringVar(&j.state, "state", "", "folder that keeps how the hub is reached and whether the camera is private (default $STATE_DIRECTORY, else camqtt in the user's configuration folder)")
	f.BoolVar(&j.only, "join-only", false, "join and keep how the hub is reached, but run nothing")
}

func (j *joinFlags) given() bool { return j.text != "" || j.file != "" }

// sources returns the configuration that the flags stand for.
func (j *joinFlags) sources() []string {
	if j.state == "" {
		return nil
	}
	return []string{"state=" + j.state}
}

// folder is where credentials are.
func (j *joinFlags) folder(e *env) (string, error) {
	if j.state != "" {
		return j.state, nil
	}
	dir, err := app.Environment(e.Environ).StateFolder()
	if err != nil {
		err = fmt.Errorf("keep how the hub is reached: %w: want --state FOLDER", err)
	}
	return dir, err
}

// keptSuffix ends the files of credentials, which camqtt run reads as well.
const keptSuffix = ".yaml"

// kept are the cameras of which a folder has credentials.
func kept(folder string) []wire.ID {
	all, err := os.ReadDir(folder)
	if err != nil {
		return nil // none
	}
	var ids []wire.ID
	for _, f := range all {
		if id, ok := strings.CutSuffix(f.Name(), keptSuffix); ok && wire.IsID(id) {
			ids = append(ids, wire.ID(id))
		}
	}
	return ids
}

// settle finds out which camera this is and joins the hub if it was asked to. file has
// the credentials; "" where somebody says in another way how the broker is reached.
func (j *joinFlags) settle(ctx context.Context, e *env, t *target, args []string) (id wire.ID, file string, err error) {
	if len(args) > 0 {
		if id, err = cameraID(args[0]); err != nil {
			return "", "", err
		}
	}
	if j.given() {
		return j.join(ctx, e, t, id)
	}
	if j.only {
		return "", "", usage.Error(errors.New("node: --join-only: want --join or --join-file as well"), e.name+" node --help")
	}
	named := t.broker != "" || len(t.config) > 0 || e.lookup("CAMQTT_BROKER") != "" || e.lookup("CAMQTT_MQTT_URL") != ""
	folder, err := j.folder(e)
	if err != nil {
		if id != "" {
			return id, "", nil // it needs none
		}
		return "", "", usage.Error(fmt.Errorf("node: %w", err), "")
	}
	all := kept(folder)
	switch {
	case id == "" && len(all) == 1 && !named:
		id = all[0]
	case id == "" && len(all) > 1:
		return "", "", usage.Error(fmt.Errorf("node: which camera? %s knows %s", folder, strings.Join(idTexts(all), ", ")), e.name+" node "+string(all[0]))
	case id == "":
		return "", "", usage.Error(errors.New("node: which camera? want one id, such as porch, or --join with what \"camqtt user add --camera\" has printed"), e.name+" node --help")
	}
	if named || !slices.Contains(all, id) {
		return id, "", nil
	}
	file = filepath.Join(folder, string(id)+keptSuffix)
	fmt.Fprintf(e.Stderr, "camqtt: camera %s reaches its hub as %s says\n", id, file)
	return id, file, nil
}

func idTexts(ids []wire.ID) []string {
	var all []string
	for _, id := range ids {
		all = append(all, string(id))
	}
	return all
}

// join exchanges the join string, unless that was done at an earlier start.
func (j *joinFlags) join(ctx context.Context, e *env, t *target, want wire.ID) (wire.ID, string, error) {
	fail := func(err error) (wire.ID, string, error) { return "", "", usage.Error(fmt.Errorf("node: %w", err), "") }
	text, err := j.read(e)
	if err != nil {
		return fail(err)
	}
	code, err := enrol.Parse(text)
	if err != nil {
		return fail(err)
	}
	if want != "" && want != code.Camera {
		return fail(fmt.Errorf("the join string is for camera %s, not %s: want \"node %[1]s\", or no id", code.Camera, want))
	}
	if t.broker != "" || len(t.pins) > 0 || t.caFile != "" || t.passwordFile != "" {
		return fail(errors.New("a join string says by itself how the hub is reached: want no --broker, --pin, --ca-file or --password-file beside it"))
	}
	folder, err := j.folder(e)
	if err != nil {
		return fail(err)
	}
	file := filepath.Join(folder, string(code.Camera)+keptSuffix)
	before, err := securefile.ReadSecret(file)
	switch {
	case err == nil && enrol.CameBy(before, code):
		fmt.Fprintf(e.Stderr, "camqtt: camera %s has joined before with this join string (%s)\n", code.Camera, file)
		return code.Camera, file, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fail(fmt.Errorf("read what is kept of the hub: %w", err))
	}
	if err := exchange(ctx, e, t, code, file); err != nil {
		return "", "", joinFailed(e, code, err)
	}
	fmt.Fprintf(e.Stderr, "camqtt: camera %s has joined; how it reaches its hub is kept in %s\n", code.Camera, file)
	return code.Camera, file, nil
}

// read is the join string that the flags name.
func (j *joinFlags) read(e *env) (text string, err error) {
	var raw []byte
	file := j.file
	switch {
	case j.text != "" && file != "":
		return "", errors.New("--join and --join-file: want one of them")
	case j.text == "-" && e.Stdin == nil:
		return "", errors.New("read the join string: there is no standard input")
	case j.text == "-":
		raw, err = bufio.NewReader(io.LimitReader(e.Stdin, 1<<16)).ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(raw) > 0 {
			err = nil
		}
	case j.text != "":
		return j.text, nil
	default:
		if file, err = securefile.LocateSecret(file, e.lookup("CREDENTIALS_DIRECTORY")); err == nil {
			raw, err = securefile.ReadSecret(file)
		}
	}
	if err != nil {
		return "", fmt.Errorf("read the join string: %w", err)
	}
	return string(raw), nil
}

// exchange joins and puts the credentials into a file. What was there stays until the
// hub has made the account.
func exchange(ctx context.Context, e *env, t *target, code enrol.Code, file string) error {
	pending := file + ".pending"
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("make the folder for how the hub is reached: %w", err)
	}
	securefile.Sweep(pending)
	if err := securefile.Replace(pending, nil); err != nil { // before the join string is used up
		return fmt.Errorf("keep how the hub is reached: %w", err)
	}
	defer func() { _ = os.Remove(pending) }() // gone already when all went well
	c := enrol.Client{
		Cert: lasting(t.cert), Key: lasting(t.key),
		Keep: func(got enrol.Credentials) error { return securefile.Replace(pending, got.YAML()) },
	}
	_, err := c.Join(ctx, code)
	if err != nil && !errors.Is(err, enrol.ErrUnconfirmed) {
		return err
	}
	if err != nil {
		fmt.Fprintf(e.Stderr, "camqtt: %v; trying with what it was told\n", err)
	}
	if err := securefile.Rename(pending, file); err != nil {
		return fmt.Errorf("keep how the hub is reached: %w", err)
	}
	return nil
}

// lasting is a file's name that is good in every folder.
func lasting(file string) string {
	if abs, err := filepath.Abs(file); err == nil && file != "" {
		return abs
	}
	return file
}

// joinFailed says what helps. Where only another join string does, a restart does not.
func joinFailed(e *env, code enrol.Code, err error) error {
	another := "on the hub's machine: camqtt user add --camera " + string(code.Camera) + ", which prints another join string"
	switch {
	case errors.Is(err, enrol.ErrExists):
		return usage.Error(fmt.Errorf("join as camera %s: %w", code.Camera, err), "on the hub's machine: camqtt user rm "+string(code.Camera)+", if nothing else is that camera; then "+another[len("on the hub's machine: "):])
	case errors.Is(err, enrol.ErrInUse):
		return usage.Error(fmt.Errorf("join as camera %s: %w", code.Camera, err), "another id; or stop the camera of this id first, then "+another)
	case errors.Is(err, enrol.ErrUsed):
		return usage.Error(fmt.Errorf("join as camera %s: %w; see in camqtt user ls on the hub's machine whether %[1]s is there, and remove it if it is not this machine", code.Camera, err), another)
	}
	for _, final := range []error{enrol.ErrUnknown, enrol.ErrWrong, enrol.ErrSpent, enrol.ErrExpired, enrol.ErrReplaced} {
		if errors.Is(err, final) {
			return usage.Error(fmt.Errorf("join as camera %s: %w", code.Camera, err), another)
		}
	}
	return usage.Hint(fmt.Errorf("join as camera %s: %w", code.Camera, err), "the hub's log, and whether "+strings.Join(code.Addresses, " or ")+" can be reached from here")
}
