package cli

import (
	"fmt"

	"camqtt/internal/diskspace"
)

// disk reports that this process can keep nothing more.
func (b *plant) disk() error {
	dir := b.cfg.AccountsData()
	if err := diskspace.Full(dir); err != nil {
		return err
	}
	if b.broker != nil && b.broker.StoreFailing() {
		return fmt.Errorf("retained messages cannot be written to %s; the log says why", dir)
	}
	return nil
}
