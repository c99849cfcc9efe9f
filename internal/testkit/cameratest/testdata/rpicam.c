// A stand-in for rpicam-vid, rpicam-still and their older names: it parses
// options, buffers, handles signals, complains and ends as they do, and writes
// one picture again and again. The environment says what happens:
//   CSI_PICTURE  file with the picture
//   CSI_LIST     what --list-cameras says; without it there is no camera
//   CSI_DEVICE   file that stands for the device: held open and locked
//   CSI_NOTES    file to which arguments, signals and the process id are added
//   CSI_HALVES   stills at first of which the second half is missing, an end put to it
//   CSI_FRAMES   pictures after which no more come
//   CSI_HANG     then complain for ever and ignore SIGINT
//   CSI_START    milliseconds until signals are handled
//   CSI_SAYS     fail at once with this text
//   CSI_THROWS   fail at once with this text as an exception's
//   CSI_TIMES    file for when each picture was written, in ns since the epoch
// Called ffmpeg it takes any argument and writes parts with their length.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signalled, interrupted;

static void handler(int s) {
	if (s == SIGINT)
		interrupted = 1;
	else
		signalled = s;
}

static void note(const char *format, ...) {
	char line[4096];
	va_list a;
	va_start(a, format);
	int n = vsnprintf(line, sizeof line - 1, format, a);
	va_end(a);
	if (n > (int)sizeof line - 2)
		n = sizeof line - 2;
	line[n++] = '\n';
	if (!getenv("CSI_NOTES"))
		return;
	int fd = open(getenv("CSI_NOTES"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (write(fd, line, n) < 0)
		abort();
	close(fd);
}

static void nap(long ms) {
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&t, NULL);
}

static int thrown(const char *format, ...) {
	va_list a;
	va_start(a, format);
	fputs("ERROR: *** ", stderr);
	vfprintf(stderr, format, a);
	fputs(" ***\n", stderr);
	va_end(a);
	exit(-1);
}

static const char *flags[] = {"-n", "--nopreview", "--flush", "--hflip", "--vflip", "--signal", "--zsl", "--immediate", "--list-cameras", 0};
static const char *numbers[] = {"--width", "--height", "--framerate", "--quality", "-q", "--camera", "-t", "--timeout", "--ev", "--gain",
	"--brightness", "--contrast", "--saturation", "--sharpness", "--shutter", "--flicker-period", "--rotation", "--buffer-count", 0};
static const char *texts[] = {"-o", "--output", "--codec", "--awb", "--awbgains", "--exposure", "--metering", "--roi", "--autofocus-mode",
	"--autofocus-range", "--autofocus-speed", "--autofocus-window", "--lens-position", "--denoise", "--hdr", "--mode", "--tuning-file",
	"--post-process-file", "--thumb", 0};

static int in(const char **all, const char *s) {
	for (; *all; all++)
		if (!strcmp(*all, s))
			return 1;
	return 0;
}

static const char *output = "", *camera = "0", *fps = "30";
static int flush, list, by_signal;

static void parse(int argc, char **argv) {
	for (int i = 1; i < argc; i++) {
		char *name = argv[i], *end;
		if (in(flags, name)) {
			flush |= !strcmp(name, "--flush");
			list |= !strcmp(name, "--list-cameras");
			by_signal |= !strcmp(name, "--signal");
			continue;
		}
		if (!in(numbers, name) && !in(texts, name))
			thrown("unrecognised option '%s'", name);
		if (++i == argc)
			thrown("the required argument for option '%s' is missing", name);
		if (in(numbers, name) && (strtod(argv[i], &end), *end || end == argv[i]))
			thrown("the argument ('%s') for option '%s' is invalid", argv[i], name);
		if (!strcmp(name, "-o"))
			output = argv[i];
		if (!strcmp(name, "--camera"))
			camera = argv[i];
		if (!strcmp(name, "--framerate"))
			fps = argv[i];
		if (!strcmp(name, "--codec") && strcmp(argv[i], "mjpeg"))
			thrown("unrecognised codec %s", argv[i]);
	}
}

static char picture[1 << 20];
static size_t size;

static void load(void) {
	FILE *f = fopen(getenv("CSI_PICTURE"), "r");
	size = fread(picture, 1, sizeof picture, f);
	fclose(f);
}

// save is how a still is written: standard output is never flushed.
static void save(void) {
	FILE *f = strcmp(output, "-") ? fopen(output, "w") : stdout;
	if (!f)
		thrown("failed to open file %s", output);
	static long stills;
	if (getenv("CSI_HALVES") && stills++ < atol(getenv("CSI_HALVES"))) {
		fwrite(picture, 1, size / 2, f);
		fwrite("\xff\xd9", 1, 2, f);
	} else if (fwrite(picture, 1, size, f) != size)
		thrown("failed to write file");
	if (f != stdout)
		fclose(f);
}

static int parts;

// times notes when the last byte of each picture was about to be written.
static void times(void) {
	static FILE *f;
	if (!getenv("CSI_TIMES"))
		return;
	if (!f)
		f = fopen(getenv("CSI_TIMES"), "we");
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	fprintf(f, "%lld\n", t.tv_sec * 1000000000LL + t.tv_nsec);
}

static void still(void) {
	for (;;) {
		nap(5);
		if (signalled == SIGUSR2)
			exit(0);
		if (signalled == SIGUSR1) {
			signalled = 0;
			note("usr1");
			if (!getenv("CSI_FRAMES"))
				save();
		}
	}
}

static void hang(void) {
	signal(SIGINT, SIG_IGN);
	for (;;) {
		fputs("[0:12:34.567] [1] WARN V4L2 v4l2_videodevice.cpp:2150 /dev/video0[13:cap]: Dequeue timer of 1000000.00us has expired!\n"
		      "[0:12:34.567] [1] ERROR RPI pipeline_base.cpp:1373 Camera frontend has timed out!\n"
		      "[0:12:34.567] [1] ERROR RPI pipeline_base.cpp:1374 Please check that your camera sensor connector is attached securely.\n"
		      "ERROR: Device timeout detected, attempting a restart!!!\n", stderr);
		nap(300);
	}
}

static void video(void) {
	signal(SIGINT, handler);
	long frames = getenv("CSI_FRAMES") ? atol(getenv("CSI_FRAMES")) : -1;
	for (long n = 0; !interrupted; n++) {
		if (n == frames) {
			note("written %ld", n);
			if (getenv("CSI_HANG"))
				hang();
			while (!interrupted)
				nap(5);
			break;
		}
		if (parts)
			printf("--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: %zu\r\n\r\n", size);
		if (fwrite(picture, 1, size - 1, stdout) != size - 1)
			abort();
		if (flush && getenv("CSI_TIMES"))
			fflush(stdout);
		times();
		fputc(picture[size - 1], stdout);
		if (parts)
			fputs("\r\n", stdout);
		if (flush)
			fflush(stdout);
		nap(1000 / atof(fps));
	}
	note("interrupted");
}

int main(int argc, char **argv) {
	char line[4000] = "";
	for (int i = 1; i < argc; i++)
		strcat(strcat(line, i > 1 ? " " : ""), argv[i]);
	note("%d %s %s", getpid(), strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0], line);
	parts = strstr(argv[0], "ffmpeg") != NULL;
	if (parts && argc == 2) {
		puts("ffmpeg version 5.1.9-0+deb12u1 Copyright\nlibavformat    59. 27.100 / 59. 27.100");
		return 0;
	}
	if (parts)
		flush = 1, fps = "50";
	else
		parse(argc, argv);
	if (list) {
		puts(getenv("CSI_LIST") ? getenv("CSI_LIST") : "No cameras available!");
		return 0;
	}
	if (getenv("CSI_SAYS")) {
		fprintf(stderr, "%s\n", getenv("CSI_SAYS"));
		return -1;
	}
	if (getenv("CSI_THROWS"))
		thrown("%s", getenv("CSI_THROWS"));
	if (!getenv("CSI_LIST"))
		thrown("no cameras available");
	char number[16];
	snprintf(number, sizeof number, "\n%s : ", camera);
	if (strncmp(getenv("CSI_LIST"), number + 1, strlen(number + 1)) && !strstr(getenv("CSI_LIST"), number))
		thrown("selected camera is not available");
	if (getenv("CSI_START"))
		nap(atol(getenv("CSI_START")));
	if (getenv("CSI_DEVICE")) {
		int fd = open(getenv("CSI_DEVICE"), O_RDWR | O_CREAT, 0600);
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			fputs("[0:01:02.345] [1] INFO Camera camera.cpp:848 Pipeline handler in use by another process\n", stderr);
			thrown("failed to acquire camera /base/soc/i2c0mux/i2c@1/imx219@10");
		}
	}
	load();
	if (by_signal) {
		signal(SIGUSR1, handler);
		signal(SIGUSR2, handler);
		still();
	}
	video();
	return 0;
}
