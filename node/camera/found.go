package camera

// Found is a camera of this machine, or one that a network address gives.
type Found struct {
	// Source is what to write as the source in the configuration. It says who the
	// camera is, where that can be said, and not which number it has today.
	Source string
	// Name is the camera as people know it; it may be "".
	Name string
	// Device is the path that it has now.
	Device string
	// Driver is the kernel module that serves it.
	Driver string
	// Formats are the pixel formats we can use, the best first. Without MJPG or
	// JPEG pictures are encoded here, which costs CPU.
	Formats []string
	// Sizes are those of the best format, smallest first.
	Sizes []Size
	// MaxFPS is the highest rate of any of these sizes; 0: not known.
	MaxFPS float64
	// Kind is the firmware behind a network address, as in the option kind= of its
	// URL: "camerawebserver", "easytarget", "esphome", "tasmota" or "generic"; ""
	// for cameras of this machine.
	Kind string
	// Same means another way to the camera before it in the list: only one of them
	// is to be used.
	Same bool
	// Note says for people what this source gives, and what is odd about it.
	Note string
}
