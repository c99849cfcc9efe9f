package v4l2

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Control is something to be turned at a camera.
type Control struct {
	// ID is the kernel's number of it.
	ID uint32
	// Name is the driver's name for it in lower case, with _ for everything that
	// is no letter or digit: "white_balance_automatic".
	Name string
	// Min to Max in steps of Step are its values; Default is that of the driver.
	Min, Max, Step, Default int32
	// Button means that setting it does something, whatever the value.
	Button bool
	// ReadOnly means that it cannot be set; Inactive, that it has no effect until
	// another control, most often an automatic, is set differently.
	ReadOnly, Inactive bool
}

// QualityID is the control for the quality of the camera's own JPEGs, 1 to 100
// (V4L2_CID_JPEG_COMPRESSION_QUALITY).
const QualityID = 0x009d0903

const (
	controlNext     = 0x80000000 // asks for the control after this one
	controlDisabled = 0x1
	controlReadOnly = 0x4
	controlInactive = 0x10

	kindInteger     = 1
	kindBoolean     = 2
	kindMenu        = 3
	kindButton      = 4
	kindIntegerMenu = 9
)

// Controls lists the controls that have a single value, in the driver's order.
func (d *Device) Controls() []Control {
	var all []Control
	q := queryCtrl{}
	for range maxEntries {
		q = queryCtrl{id: q.id | controlNext}
		before := q.id
		if d.ioctl(reqQueryCtrl, unsafe.Pointer(&q)) != nil || q.id|controlNext == before {
			break // EINVAL: there are no more. Or a driver that does not count on
		}
		if c, ok := q.control(); ok {
			all = append(all, c)
		}
	}
	return all
}

// Find returns the control with a number, if the camera has it.
func (d *Device) Find(id uint32) (Control, bool) {
	q := queryCtrl{id: id}
	if d.ioctl(reqQueryCtrl, unsafe.Pointer(&q)) != nil {
		return Control{}, false
	}
	return q.control()
}

func (q *queryCtrl) control() (Control, bool) {
	switch q.typ {
	case kindInteger, kindBoolean, kindMenu, kindButton, kindIntegerMenu:
	default: // headings, strings, sets of bits, 64-bit numbers and matrices
		return Control{}, false
	}
	if q.flags&controlDisabled != 0 {
		return Control{}, false
	}
	return Control{
		ID: q.id, Name: controlName(text(q.name[:])),
		Min: q.min, Max: q.max, Step: q.step, Default: q.def, Button: q.typ == kindButton,
		ReadOnly: q.flags&controlReadOnly != 0, Inactive: q.flags&controlInactive != 0,
	}, true
}

// controlName makes a name that can be typed: the same that v4l2-ctl shows.
func controlName(s string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(s) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			b.WriteRune(r)
			gap = false
			continue
		}
		gap = true
	}
	return b.String()
}

// Value reads a control.
func (d *Device) Value(c Control) (int32, error) {
	v := ctrlValue{id: c.ID}
	if err := d.ioctl(reqGetCtrl, unsafe.Pointer(&v)); err != nil {
		return 0, fmt.Errorf("read control %s of %s: %w", c.Name, d.path, err)
	}
	return v.value, nil
}

// SetValue sets a control and returns what the driver made of the value. Errors
// wrap unix.ERANGE for a value that the control does not have.
func (d *Device) SetValue(c Control, value int32) (int32, error) {
	if !c.Button && (value < c.Min || value > c.Max) {
		return 0, fmt.Errorf("set control %s of %s to %d, want %d to %d: %w", c.Name, d.path, value, c.Min, c.Max, unix.ERANGE)
	}
	v := ctrlValue{id: c.ID, value: value}
	if err := d.ioctl(reqSetCtrl, unsafe.Pointer(&v)); err != nil {
		return 0, fmt.Errorf("set control %s of %s to %d: %w", c.Name, d.path, value, err)
	}
	return v.value, nil
}
