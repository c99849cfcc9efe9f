package access

import (
	"errors"
	"fmt"

	"camqtt/internal/securefile"
)

// Check reads a file as [List] does. With [ErrEdited] it returns the accounts that the
// file has now, for its owner to look at.
func Check(file string) ([]Account, error) {
	all, _, _, err := read(file)
	return accountsOf(all), err
}

// Accept takes a file as it is now for what its owner wants: it writes the checksum anew.
// What camqtt could not read is not accepted.
func Accept(file string) ([]Account, error) {
	release, err := securefile.Lock(file)
	if err != nil {
		return nil, err
	}
	defer release()
	securefile.Sweep(file)
	securefile.Sweep(file + backup)
	all, _, _, err := read(file)
	if err != nil && !errors.Is(err, ErrEdited) {
		return nil, err
	}
	after, err := text(all)
	if err == nil {
		err = securefile.ReplaceKept(file, file+backup, after)
	}
	if err != nil {
		return nil, fmt.Errorf("write accounts: %w", err)
	}
	return accountsOf(all), nil
}
