package sourceurl

import (
	"errors"
	"net/url"
	"strings"
)

// PasswordForms says how a password is written that parseAddress cannot make out.
const PasswordForms = "in a password %2F stands for /, %40 for @, %23 for #, %3F for ? and %25 for %"

// ParseAddress is url.Parse for what people write: a user and a password need no
// escapes, as long as there is no slash in them.
func ParseAddress(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err == nil && (u.User != nil || !strings.Contains(u.Fragment, "@")) {
		return u, nil
	}
	scheme, rest, _ := strings.Cut(s, "://")
	authority, _, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		if err == nil {
			err = errors.New("an @ behind the #")
		}
		return nil, err
	}
	u, again := url.Parse(scheme + "://" + rest[at+1:])
	if again != nil {
		return nil, again
	}
	name, password, has := strings.Cut(rest[:at], ":")
	if u.User = url.User(unescaped(name)); has {
		u.User = url.UserPassword(unescaped(name), unescaped(password))
	}
	return u, nil
}

// unescaped undoes percent escapes where all of s is written with them.
func unescaped(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}
