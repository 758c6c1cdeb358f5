//! A hundred strings by people who mean harm, or whose names are harder than ours.

/// All of them.
pub fn strings() -> Vec<String> {
    let mut all: Vec<String> = STRINGS.iter().map(|&text| text.to_owned()).collect();
    all.extend(
        (0..=0x1F_u8)
            .filter(|byte| !matches!(byte, b'\n' | b'\t'))
            .step_by(3)
            .map(|byte| format!("control {byte} {}", char::from(byte))),
    );
    for bidi in ['\u{200E}', '\u{200F}', '\u{202A}', '\u{202D}', '\u{202E}', '\u{2066}', '\u{2067}', '\u{2069}'] {
        all.push(format!("invoice{bidi}fdp.exe"));
    }
    all.push("W".repeat(1 << 20));
    all.push("wide 漢字".repeat(20_000));
    all.push("\n".repeat(5_000));
    all.push(format!("<b>{}</b>", "deep".repeat(30_000)));
    all.push(format!("Z{}", "\u{300}\u{316}\u{489}".repeat(300)));
    all.push("<div>".repeat(10_000));
    let mut number = 0;
    while all.len() < 100 {
        number += 1;
        all.push(format!("<img src=x{number} onerror='window.pwned={number}'>"));
    }
    all.truncate(100);
    all
}

/// Whether the protocol takes it for a name.
pub fn is_name(text: &str) -> bool {
    gossip_node::proto::gossip::check_name(text)
}

const STRINGS: &[&str] = &[
    "<img src=x onerror=window.pwned=1>",
    "<script>window.pwned=1</script>",
    "\"><svg onload=window.pwned=1>",
    "<b>bold</b> & <i>so</i> on",
    "'\"><a href=javascript:alert(1)>x</a>",
    "</script><script>document.title='pwned'</script>",
    "</title><script>window.pwned=1</script>",
    "</style><style>*{display:none!important}</style>",
    "<style>body{visibility:hidden}</style>",
    "<iframe src=//evil.example></iframe>",
    "<iframe srcdoc='<script>parent.pwned=1</script>'>",
    "<object data=//evil.example></object>",
    "<embed src=//evil.example>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<base href=//evil.example/>",
    "<form action=//evil.example><input name=token></form>",
    "<svg><script>window.pwned=1</script></svg>",
    "<svg><animate onbegin=window.pwned=1 attributeName=x dur=1s>",
    "<math><mtext><img src onerror=window.pwned=1>",
    "<details open ontoggle=window.pwned=1>",
    "<video><source onerror=window.pwned=1>",
    "<body onload=window.pwned=1>",
    "<input autofocus onfocus=window.pwned=1>",
    "<marquee onstart=window.pwned=1>",
    "<template><img src=x onerror=window.pwned=1></template>",
    "<noscript><p title='</noscript><img src=x onerror=window.pwned=1>'>",
    "<!--><img src=x onerror=window.pwned=1>-->",
    "<![CDATA[<img src=x onerror=window.pwned=1>]]>",
    "<?xml version='1.0'?><x onload=alert(1)/>",
    "&lt;img src=x onerror=alert(1)&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "javascript:alert(document.cookie)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "{{constructor.constructor('window.pwned=1')()}}",
    "${window.pwned=1}",
    "#{7*7}",
    "`;window.pwned=1;`",
    "');window.pwned=1;//",
    "\";window.pwned=1;//",
    "\\u003cscript\\u003ewindow.pwned=1\\u003c/script\\u003e",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]0;pwned\u{7}",
    "\u{1b}[2J\u{1b}[H",
    "\u{9b}31m",
    "\u{7f}\u{80}\u{85}\u{9f}",
    "\0nul",
    "a\r\nb\rc",
    "tab\tand\nline",
    "\u{feff}begins with a mark of byte order",
    "zero\u{200b}width\u{2060}joined",
    "non\u{a0}breaking\u{202f}spaces\u{3000}",
    "line\u{2028}and\u{2029}paragraph",
    "العربية و English معا",
    "שלום עולם 123 abc",
    "\u{61c}mark of Arabic letters",
    "漢字とかな",
    "ภาษาไทย",
    "हिन्दी",
    "👩‍👩‍👧‍👦 🏳️‍🌈 🇺🇳",
    "Z̷̡̢̛̫͔a̸l̵g̶o̴",
    "ﷺ﷽",
    "\u{e000}\u{f8ff} private",
    "\u{fff9}annotated\u{fffa}\u{fffb}",
    "\u{e0041}\u{e0042} tags",
    "\u{10ffff}",
    "%3Cscript%3Ewindow.pwned=1%3C/script%3E",
    "../../../etc/passwd",
    "token=0123456789abcdef",
    "#token=0123456789abcdef",
    "__proto__",
    "constructor",
    "toString",
    "null",
    "undefined",
    "NaN",
    " ",
    "-1",
    "1e999",
];
