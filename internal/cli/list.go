package cli

import (
	"errors"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
)

// nameList is a flag of several names, repeated or with commas. The flag library's own reads
// a line of CSV and drops what follows it: an account for two cameras became one for the
// first, and an empty value one for all cameras there are.
type nameList struct {
	names *[]string
}

// listFlag adds a flag of several names to a command.
func listFlag(c *cobra.Command, names *[]string, name, usage string) {
	c.Flags().Var(&nameList{names}, name, usage)
}

// Set adds the names of one value, all or none.
func (l *nameList) Set(value string) error {
	if strings.ContainsFunc(value, unicode.IsControl) {
		return errors.New("there is a line break or another control character in it: want names with commas between, like porch,garden")
	}
	names := strings.Split(value, ",")
	for _, name := range names {
		if name == "" {
			return errors.New("there is an empty name in it: want names with commas between, like porch,garden")
		}
	}
	*l.names = append(*l.names, names...)
	return nil
}

// String is "" without names, so that help texts show no default.
func (l *nameList) String() string { return strings.Join(*l.names, ",") }

// Type is what help texts show for the value.
func (l *nameList) Type() string { return "names" }
