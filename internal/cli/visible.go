package cli

import (
	"fmt"
	"regexp"
)

// exposedSecret finds a password in an argument: in a URL, or as a key=value.
var exposedSecret = struct{ url, key *regexp.Regexp }{
	regexp.MustCompile(`://[^\s"'/?#:@]*:[^\s"'@]+@`),
	regexp.MustCompile(`^(?:-c=?|--config=)?mqtt\.password=.`),
}

// warnVisible says that a password among the arguments is no secret: every user of
// the machine sees them in the list of processes.
func warnVisible(e *env) {
	for _, a := range e.Args {
		if exposedSecret.url.MatchString(a) || exposedSecret.key.MatchString(a) {
			fmt.Fprintf(e.Stderr, "camqtt: a password on the command line can be read by everybody on this machine (ps)\n"+
				"Try: --password-file FILE, a configuration file (-c FILE), or the environment (CAMQTT_BROKER)\n")
			return
		}
	}
}
