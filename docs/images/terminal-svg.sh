#!/bin/sh
# Turns what `hob demo` printed into a picture of a terminal.
#
#   hob demo --once | docs/images/terminal-svg.sh 4 6 7 8 > docs/images/conversation.svg
#
# The arguments are the chapters to show; none: all. QR codes are left out, long lines cut. Nothing else is changed.
LC_ALL=C exec awk -v chapters="$*" '
BEGIN {
    columns = 92; height = 19; margin = 18; advance = 8.43
    split(chapters, wanted, " ")
    for (at in wanted) show[wanted[at]] = 1
    showing = (chapters == "")
}
function escaped(text) {
    gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text)
    return text
}
/▀|▄|█/ { next }
/^[0-9]+\. / || /^The end/ {
    number = $1; sub(/\..*/, "", number)
    showing = (chapters == "" || number in show)
    if (showing && count > 0) lines[++count] = ""
}
!showing || /^ *$/ { next }
{
    if (length($0) > columns) {
        $0 = substr($0, 1, columns - 1)
        sub(/[\200-\377]+$/, "")
        $0 = $0 "…"
    }
    lines[++count] = $0
}
END {
    width = int(columns * advance + 2 * margin); whole = count * height + 2 * margin + 22
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" ", width, whole, width, whole
    print "role=\"img\" aria-labelledby=\"title\">"
    print "<title id=\"title\">A conversation through a Hob box, in a terminal</title>"
    print "<style>"
    print "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,\"DejaVu Sans Mono\",monospace;fill:#d7dde5;white-space:pre}"
    print ".chapter{font-weight:bold;fill:#f2c14e}.command{font-weight:bold;fill:#8fd0ff}"
    print "</style>"
    printf "<rect width=\"%d\" height=\"%d\" rx=\"9\" fill=\"#161b22\"/>\n", width, whole
    print "<g fill=\"#3b4552\"><circle cx=\"20\" cy=\"18\" r=\"5\"/><circle cx=\"37\" cy=\"18\" r=\"5\"/><circle cx=\"54\" cy=\"18\" r=\"5\"/></g>"
    for (at = 1; at <= count; at++) {
        if (lines[at] == "") continue
        kind = ""
        if (lines[at] ~ /^[0-9]+\. /) kind = " class=\"chapter\""
        if (lines[at] ~ /^ +[a-z]+\$ /) kind = " class=\"command\""
        printf "<text x=\"%d\" y=\"%d\"%s xml:space=\"preserve\">%s</text>\n", margin, margin + 22 + at * height - 5, kind, escaped(lines[at])
    }
    print "</svg>"
}'
