# shellcheck shell=bash
# A real browser (Chromium, scripts/setup dev); source it after lib.sh.
#
#     browse WIDTH SCHEME HEIGHT ARGS...   headless, with a window of that size and the colour scheme light or dark
#     check_fits FILE WIDTH [NAME]    nothing of the saved page is wider than that, and no text too small to read
#     check_contrast FILE             text on its ground, in both colour schemes, by WCAG 2's formula

browse() {
    local width=$1 scheme=$2 height=$3
    shift 3
    timeout 300 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --user-data-dir="$TMP/chromium" \
        --enable-logging=stderr --v=0 --blink-settings=preferredColorScheme="$([[ $scheme == dark ]] && echo 0 || echo 1)" \
        --window-size="$width,$height" "$@"
}

# Measured by a page that holds the page's own markup and style beside a script (the page itself runs none, and forbids it).
check_fits() {
    local file=$1 width=$2 name=${3:-$2} measured
    python3 - "$file" "$width" <<'END'
import re, sys
page = open(sys.argv[1], encoding="utf-8").read()
page = re.sub(r'<meta http-equiv="?(refresh|Content-Security-Policy)"?[^>]*>', "", page)
# No window is narrower than 500; the document is.
script = """<script>addEventListener("load", () => {
  const width = WIDTH;
  document.documentElement.style.width = width + "px";
  const wide = [...document.querySelectorAll("body *")].filter(e => !e.closest(".wide") &&
      e.getBoundingClientRect().right > width + 1).map(e => e.tagName + "." + (e.className.baseVal ?? e.className));
  const small = [...document.querySelectorAll("td, p, li, span, th")].filter(e => parseFloat(getComputedStyle(e).fontSize) < 12);
  document.title = JSON.stringify({width, wide: wide.slice(0, 5), small: small.length});
});</script>"""
open("measure.html", "w", encoding="utf-8").write(page.replace("</head>", script.replace("WIDTH", sys.argv[2]) + "</head>"))
END
    browse "$width" light 1000 --dump-dom "file://$TMP/measure.html" >measured 2>/dev/null || true
    measured=$(python3 -c 'import html,re; print(html.unescape(re.search(r"<title>(.*?)</title>", open("measured").read())[1]))')
    printf '%s: %s\n' "$name" "$measured"
    check "$name: nothing is wider than the window, nothing too small to read" python3 -c '
import json, sys
m = json.loads(sys.argv[1])
sys.exit(bool(m["wide"]) or m["small"] != 0)' "$measured"
}

check_contrast() {
    check "text is readable in both colour schemes" python3 - "$1" <<'END'
import re, sys
style = re.search(r"<style>(.*?)</style>", open(sys.argv[1], encoding="utf-8").read(), re.S)[1]
def light(c):
    c = c.lstrip("#")
    c = "".join(2 * x for x in c) if len(c) == 3 else c
    rgb = [int(c[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    rgb = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in rgb]
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]
blocks = re.findall(r":root\{([^}]*)\}", style)
assert len(blocks) >= 2, "two colour schemes"
for block in blocks:
    colours = dict(re.findall(r"--([a-z]+):(#[0-9a-f]+)", block))
    for text in ("text", "dim", "ok", "warn", "bad", "run"):
        for ground in ("bg", "card"):
            a, b = sorted((light(colours[text]), light(colours[ground])))
            assert (b + 0.05) / (a + 0.05) >= 4.5, (text, ground, (b + 0.05) / (a + 0.05))
END
}
