package e2e

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// advised has the beginning of every advice in the source, as collectAdvice writes it, and
// the test that follows the advice, or sees it given where only a person can follow it.
// TestAdviceOfHelp follows advice that ends with --help.
var advised = map[string]string{
	`cp -p %s%s %s, or remove both to begin anew`: "TestAdviceIsFollowed",
	`cp -p %s%s %s`: "TestAdviceIsFollowed",
	`chmod 600 %s`:  "TestAdviceIsFollowed",
	`source:`:       "TestAdviceIsFollowed",
	`%[4]s`:         "TestAdviceIsFollowed",
	`"start the hub first (" + e.name + " run), name its`:  "TestAdviceIsFollowed",
	`fmt.Sprintf("%s user rm %s, and then again; its node`: "TestAdviceIsFollowed",
	`e.name + help`:                                        "TestAdviceOfHelp",
	`%s node porch --source test:%s`:                       "TestAdviceOfHub",
	`e.name + " ls"`:                                       "TestAdviceOfHub",
	`f.name + " ls"`:                                       "TestAdviceOfHub",
	`e.name + " forget --force " + string(id)`:             "TestAdviceOfHub",
	`another path for broker.unix, in a folder that this`:  "TestAdviceOfHub",
	`camqtt run with broker.tls.listen, such as -c broker`: "TestOwnKey",
	`e.name + " demo, or name a broker with --broker"`:     "TestDemo",
	`is the broker running there, on that port? One of ca`: "TestNobodyThere",
	`e.name + " ls; if the camera is online, this account`: "TestAccounts",
	`f.name + " forget " + string(f.id) + " --broker mqtt`: "TestForgetSaysWhatRemains",
	`broker.tls.listen: 0.0.0.0:8883 in the hub's configu`: "TestJoiningRefused",
	`"start the hub first (" + e.name + " run)"`:           "TestJoining",
	`e.name + " node " + string(all[0])`:                   "TestJoining",
	`"on the hub's machine: camqtt user rm " + string(cod`: "TestJoiningRefused",
	`"another id; or stop the camera of this id first, th`: "TestJoiningRefused",
	`another`: "TestJoiningRefused",
	`"the hub's log, and whether " + strings.Join(code.Ad`: "TestJoiningRefused",
	`again + all[0].Source`:                                "TestJoining",
	`again + "test:"`:                                      "TestJoining",
	`a longer --timeout: this camera sends when it likes;`: "TestPushExample",
	`fmt.Sprintf("%s watch %s | ffplay -f mpjpeg - or %s`:  "TestDocumentedCommands",
	`help`: "TestNothingOpenToOthers",
	`the same with sudo, or as the user of the service`: "TestNewerDataFolder",
	`another id`: "TestNoAccountForCameraInUse",
	`another id, or stop the camera of this id first`:     "TestNoAccountForCameraInUse",
	`mqtt.retain: false`:                                  "TestBrokerWithoutRetain",
	`"lsusb (is it plugged in?), id (is this user in the`: "TestDetectNothing",
	`hint`: "TestTakenPort",
	`a folder, with the key state or --state`: "TestNowhereToRemember",
	`another folder`: "TestWriteRefusesPlantedLinks",
	`as that user, or the file that it leads to`: "TestWriteRefusesPlantedLinks",
	`chmod 700 %s`:            "TestForeignFile",
	`chown --reference=%s %s`: "TestForeignFile",
	`sudo usermod -aG video $USER, then log in again`:      "TestDetectNothing",
	`--password-file FILE, a configuration file (-c FILE)`: "TestNothingTells",
	`%s`: "TestUnwritable",
}

// advice is one advice in the source.
type advice struct{ file, text string }

// collectAdvice finds the texts behind "Try: " and what the package usage is given.
func collectAdvice(t *testing.T) (all []advice) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == "internal/testkit" || d.Name() == "node_modules" || d.Name() == ".git"):
			return fs.SkipDir
		case filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if text := adviceOf(files, n); text != "" {
				all = append(all, advice{path, text})
			}
			return true
		})
		return nil
	})
	if err != nil || len(all) < 40 {
		t.Fatalf("%d pieces of advice, %v", len(all), err)
	}
	return all
}

// adviceOf is the advice that a node gives, "" for none.
func adviceOf(files *token.FileSet, n ast.Node) string {
	switch n := n.(type) {
	case *ast.BasicLit:
		s, _ := strconv.Unquote(n.Value)
		if _, text, ok := strings.Cut(strings.ToLower(s), "try: "); ok {
			return strings.TrimSpace(s[len(s)-len(text):])
		}
	case *ast.CallExpr:
		f, ok := n.Fun.(*ast.SelectorExpr)
		if !ok || len(n.Args) != 2 || f.Sel.Name != "Error" && f.Sel.Name != "Hint" {
			return ""
		}
		if pkg, ok := f.X.(*ast.Ident); ok && pkg.Name == "usage" {
			var b bytes.Buffer
			_ = printer.Fprint(&b, files, n.Args[1]) // into memory
			if text, err := strconv.Unquote(b.String()); err == nil {
				return text
			}
			return strings.Join(strings.Fields(b.String()), " ")
		}
	}
	return ""
}

// TestEveryAdviceHasATest: no advice is given that no test follows.
func TestEveryAdviceHasATest(t *testing.T) {
	t.Parallel()
	tests := testNames(t)
	given := map[string]bool{}
	for _, a := range collectAdvice(t) {
		row := ""
		for text := range advised {
			if len(text) > len(row) && strings.HasPrefix(a.text, text) {
				row = text
			}
		}
		given[row] = true
		if row == "" && !strings.HasSuffix(strings.Trim(a.text, `"`), "--help") {
			t.Errorf("%s: no test follows the advice %q", a.file, a.text)
		} else if row != "" && !tests[advised[row]] {
			t.Errorf("%s: there is no %s for the advice %q", a.file, advised[row], a.text)
		}
	}
	for text := range advised {
		if !given[text] {
			t.Errorf("nothing gives the advice %q any more", text)
		}
	}
}

// testNames are the functions of all tests.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	form := regexp.MustCompile(`(?m)^func (Test\w+)`)
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, m := range form.FindAllSubmatch(read(t, path), -1) {
				names[string(m[1])] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// adviceGiven runs a command that is refused, and returns what it says after "Try: ".
func adviceGiven(t *testing.T, args ...string) string {
	t.Helper()
	_, stderr, status := camqtt(t, args...)
	i := strings.LastIndex(strings.ToLower(stderr), "try: ")
	if status == 0 || i < 0 {
		t.Fatalf("camqtt %q: exit %d, no advice:\n%s", args, status, stderr)
	}
	return strings.TrimSpace(stderr[i+len("try: "):])
}

// shell follows advice that is a command.
func shell(t *testing.T, command string) {
	t.Helper()
	command = regexp.MustCompile(`^camqtt `).ReplaceAllLiteralString(command, binary+" ")
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", command).CombinedOutput(); err != nil {
		t.Errorf("the advice %q fails: %v\n%s", command, err, out)
	}
}

// TestAdviceOfHelp follows the advice of commands whose arguments are wrong.
func TestAdviceOfHelp(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"nonsense", "--nonsense", "run --nonsense", "user add", "user add a --role nobody", "user set a --role nobody",
		"user add a --camera Front", "set porch fps", "acl", "acl --camera", "acl --engine none", "node", "node a b",
		"node porch --join-only --source test:", "snap", "watch", "forget",
	} {
		text := adviceGiven(t, strings.Fields(args)...)
		if !strings.HasSuffix(text, "--help") {
			t.Errorf("camqtt %s: advice %q, want --help", args, text)
			continue
		}
		shell(t, text)
	}
}

// TestAdviceIsFollowed does what errors of the configuration and of accounts advise: the
// command that was refused then succeeds.
func TestAdviceIsFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	follow := func(args ...string) {
		t.Helper()
		command, _, _ := strings.Cut(adviceGiven(t, args...), ", or ")
		shell(t, command)
		must(t, args...)
	}
	password := put("password", "secret-enough\n", 0o644)
	follow("check", "-c", "dashboard=", "-c", "mqtt.url=mqtt://host", "-c", "mqtt.username=a",
		"-c", "mqtt.password_file="+password)

	data := filepath.Join(dir, "data")
	open := []string{"check", "-c", "broker.listen=0.0.0.0:1883", "-c", "broker.data=" + data}
	shell(t, strings.Replace(adviceGiven(t, append(open, "-c", "broker.anonymous=all")...), "NAME", "anna", 1))
	must(t, append(open, "-c", "broker.anonymous=loopback")...)

	accounts := filepath.Join(data, "accounts.json")
	must(t, "user", "add", "bert", "--data", data)
	list := []string{"user", "ls", "--data", data}
	if err := os.Chmod(accounts, 0o644); err != nil {
		t.Fatal(err)
	}
	follow(list...)
	put("data/accounts.json", "{", 0o600)
	follow(list...)
	if err := os.Remove(accounts); err != nil {
		t.Fatal(err)
	}
	follow(list...)

	invite := []string{"user", "add", "--camera", "gate", "--data", data}
	if text := adviceGiven(t, invite...); !strings.Contains(text, "--token") {
		t.Errorf("advice %q without a hub", text)
	}
	must(t, append(invite, "--token")...)
	command, _, _ := strings.Cut(adviceGiven(t, invite...), ", and then again")
	shell(t, command+" --data "+data)
	must(t, append(invite, "--token")...)

	text := "broker:\ncameras:\n  - id: front\n    source: v4l2:\n"
	file := put("camera.yaml", text, 0o600)
	line := adviceGiven(t, "check", "-c", file)
	put("camera.yaml", strings.Replace(text, "source: v4l2:", line, 1), 0o600)
	must(t, "check", "-c", file)
}

// TestAdviceOfHub does what commands advise that reach no broker, or no camera on it.
func TestAdviceOfHub(t *testing.T) {
	t.Parallel()
	socket := t.TempDir()
	run := []string{"run", "-c", "broker.listen=", "-c", "broker.data=", "-c", "broker.unix=" + socket + "/no/x"}
	if text := adviceGiven(t, run...); !strings.Contains(text, "in a folder") {
		t.Errorf("advice %q for a socket", text)
	}
	h := startHub(t, "broker.listen=127.0.0.1:0", "broker.data=", "broker.unix="+socket+"/x")
	must(t, "ls", "--broker", "unix://"+socket+"/x")
	at := " --broker " + h.mqtt
	shell(t, adviceGiven(t, "snap", "porch", "--broker", h.mqtt, "--timeout", "2s")+at)
	shell(t, adviceGiven(t, "forget", "porch", "--broker", h.mqtt)+at)
	out := must(t, "ls", "--broker", h.mqtt)
	_, command, _ := strings.Cut(strings.TrimSpace(out), "Try: ")
	words := strings.Fields(command)
	if len(words) < 4 {
		t.Fatalf("advice %q where there is no camera", out)
	}
	serve(t, words[1:]...)
	online(t, h.mqtt, "porch")
	shell(t, adviceGiven(t, "forget", "porch", "--broker", h.mqtt)+at)
}
