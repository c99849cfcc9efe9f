// Package privacystore keeps on disk what survives a restart of a camera's node: that the
// camera is private, in FOLDER/ID.private, and its settings, in FOLDER/ID.settings.
package privacystore
