"""Words by which a text makes an assistant do what its reader did not ask for: each a pattern, and how grave it is.

The patterns read folded text (`hidden_text.fold`): small letters, no emphasis. They know what was seen in the wild and
what can be said in plain words; whoever wants to can say it in others. What a pack *can do* is held by its declared
capabilities, not by these.
"""

import re
from typing import NamedTuple


class Rule(NamedTuple):
    """`told` completes "line N …". A grave one is refused, any other shown before somebody agrees.

    Behind a negation ("never …") even a grave one is only shown; `within` counts the words that may stand between.
    """

    told: str
    grave: bool
    pattern: re.Pattern[str]
    within: int = 1


def _rule(told: str, pattern: str, *, grave: bool = True, within: int = 1) -> Rule:
    return Rule(told, grave, re.compile(pattern, re.MULTILINE), within)


_EARLIER = r"(?:previous|prior|earlier|above|preceding|foregoing|existing|original|initial|system|your|developer)"
_ANY = r"(?:all|any|every|each|the|of|these|those|that|other|such|and|or|safety|security)"
_ORDERS = (
    r"(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|orders|constraints|safeguards"
    r"|polic(?:y|ies)|programming)"
)
_USER = (
    r"(?:the\s+|your\s+|our\s+)?(?:users?|humans?|developers?|operators?|owners?|reviewers?|maintainers?|anyone|anybody"
    r"|person)"
)
_SHELL = (
    r"(?:sudo\s+)?(?:/(?:usr/)?bin/)?(?:env\s+)?(?:(?:ba|z|da|k|fi)?sh\b|python[\d.]*\b|perl\b|ruby\b|node\b|iex\b"
    r"|source\b)"
)
_FETCH = r"(?:curl|wget|fetch|iwr|irm|invoke-webrequest|invoke-restmethod)"
_KEYS = (
    r"(?:\.ssh\b|id_rsa\b|id_ed25519\b|id_ecdsa\b|\.aws/credentials|\.netrc\b|\.git-credentials|\.pypirc\b"
    r"|\.config/gh/hosts|\.docker/config\.json|\.kube/config|/etc/shadow|\.gnupg\b|\.claude/\.credentials|login\.keychain"
    r"|/proc/(?:self|\d+)/environ)"
)
_SECRETS = (
    r"(?:api[\s_-]?keys?|access\s+keys?|ssh\s+keys?|private\s+keys?|secret\s+keys?|(?:access|auth|session|api)\s+tokens?"
    r"|tokens|secrets|credentials|passwords|environment\s+variables|\.env\b(?!\.example)|environ\b)"
)
_SEND = r"(?:send|post|upload|exfiltrate|leak|transmit|forward|e?mail|append|attach|submit|beacon)"
_BACK = r"(?:b64decode|b32decode|b85decode|a85decode|fromhex|unhexlify|decompress|rot13|rot_13|atob|marshal)"

RULES = (
    _rule(
        "tells to ignore earlier instructions",
        rf"\b(?:ignore|disregard|forget|override|bypass|violate|overlook|set\s+aside)\s+(?:{_ANY}\s+){{0,4}}"
        rf"{_EARLIER}\s+(?:{_ANY}\s+|{_EARLIER}\s+){{0,3}}{_ORDERS}\b",
    ),
    _rule(
        "tells to ignore earlier instructions",
        r"\b(?:ignore|disregard|forget)\s+(?:all\s+(?:of\s+)?|every(?:thing)?\s+)(?:the\s+|these\s+|that\s+)?"
        r"(?:instructions|prompts|guidelines|you\s+(?:were|have\s+been)\s+told|you\s+know|(?:was\s+)?(?:said\s+)?(?:above|before\s+this))"
        r"|\b(?:ignore|disregard|forget)\s+(?:the|these|those|all|any)\s+(?:instructions|prompts|rules|guidelines)\s+(?:above|before|so\s+far)\b"
        r"|\byour\s+(?:goal|task|purpose|mission)\s+is\s+now\b",
    ),
    _rule(
        "gives an assistant another identity or other orders",
        r"\byou\s+are\s+(?:now|from\s+now\s+on|no\s+longer)\s+(?:in\s+)?(?:an?\s+)?(?:dan\b|developer\s+mode|jailbroken|unrestricted|bound|unfiltered|root\b|admin)"
        r"|\byour\s+(?:new|real|actual|true|only)\s+(?:instructions?|task|goal|objective|purpose|mission|orders)\s+(?:are|is)\b"
        r"|\b(?:enter|enable|switch\s+to)\s+(?:developer|god|dan|jailbreak|unrestricted)\s+mode\b",
    ),
    _rule(
        "asks for an assistant's own instructions",
        r"\b(?:reveal|print|repeat|output|show|leak|dump|send|recite)\s+(?:me\s+)?(?:your|the)\s+(?:(?:full|whole|entire|hidden|secret|exact)\s+)?(?:system\s+prompt|hidden\s+instructions|initial\s+instructions)",
    ),
    _rule(
        "tells to hide something from the user",
        r"\b(?:hide|conceal|keep|withhold)\s+(?:this|it|that|them|(?:the|these|those)(?:\s+\w+){0,2}|what\s+you\s+d(?:o|id))"
        rf"\s+(?:hidden\s+|secret\s+|away\s+)?from\s+{_USER}\b",
    ),
    _rule(
        "tells to hide something from the user",
        rf"\bwithout\s+(?:telling|informing|notifying|alerting|warning)\s+{_USER}\b"
        rf"|\bwithout\s+(?:{_USER}(?:'s)?|their|his|her)\s+(?:knowledge|knowing|noticing|consent|seeing)\b"
        r"|\bso\s+that\s+(?:the\s+)?(?:user|human|reviewer|developer)s?\s+(?:does|do|will|can)\s*(?:not|n[o']t)\s+(?:notice|see|know|find\s+out)",
        within=6,
    ),
    _rule(
        "tells to hide something from the user",
        rf"\b(?:do\s+not|don'?t|never|must\s+not|should\s+not)\s+(?:ever\s+)?(?:(?:tell|inform|notify|alert|warn)\s+{_USER}\s+(?:about|of)\s+(?:this|it|these|that|any\s+of\s+(?:this|it))\b"
        rf"|(?:mention|reveal|disclose|report|show|admit)\s+(?:this|it|these|any\s+of\s+(?:this|it))(?:\s+\w+){{0,3}}?\s+to\s+{_USER}\b"
        r"|(?:mention|reveal|disclose)\s+(?:this|these|any\s+of\s+(?:this|it))\s+(?:instructions?|steps?|comments?|commands?|messages?|text|uploads?|requests?)\b)",
    ),
    _rule(
        "says what the user is not to be told",
        rf"\b(?:do\s+not|don'?t|never)\s+(?:tell|inform|notify|alert|warn)\s+{_USER}\b",
        grave=False,
    ),
    _rule(
        "tells to say that something is done when it may not be",
        r"\b(?:say|report|claim|pretend|state|write|answer)\s+(?:that\s+)?(?:all\s+|the\s+|every\s+)*(?:tests?|checks?|build)\s+(?:pass(?:es|ed)?|succeeded|(?:is|are)\s+(?:green|ok))\b[^.\n]{0,60}\b(?:even\s+if|regardless|whether\s+or\s+not|no\s+matter|anyway)",
    ),
    _rule(
        "tells to agree to whatever is asked",
        r"\b(?:approve|accept|allow|confirm|answer\s+yes\s+to|say\s+yes\s+to|grant)\s+(?:every|all|any)\s+(?:\w+\s+)?(?:permissions?|prompts?|questions?|requests?|confirmations?|dialogs?)\b",
    ),
    _rule("fetches something and runs it", rf"\b{_FETCH}\b[^\n|]{{0,300}}\|\s*(?:{_SHELL})"),
    _rule(
        "fetches something and runs it",
        rf"(?:{_SHELL}|\.)\s*(?:-\w+\s+)*(?:<\(|[\"']?\$\()\s*{_FETCH}\b|\beval\s+[\"']?\$\(\s*{_FETCH}\b",
    ),
    _rule(
        "fetches something and runs it",
        rf"\b(?:download|fetch|get|retrieve|{_FETCH})\b[^\n]{{0,160}}https?://\S+[^\n]{{0,100}}\b(?:run|execute|source|eval|pipe|launch|follow)\b",
    ),
    _rule(
        "fetches something and runs it",
        r"\b(?:exec|eval|compile|os\.system|popen)\s*\([^\n]{0,160}\b(?:urlopen|urlretrieve|requests\.|httpx\.|urllib)",
    ),
    _rule(
        "follows what stands at an address",
        r"\b(?:run|execute|follow|obey|do)\b[^.\n]{0,60}\b(?:scripts?|instructions?|commands?|steps)\b[^.\n]{0,40}\b(?:at|from|in)\s+https?://",
    ),
    _rule(
        "installs what an address gives",
        r"\bpip3?\s+install\s+[^\n]{0,60}(?:git\+|https?://)|\bnpx\s+(?:-y|--yes)\b",
        grave=False,
    ),
    _rule(
        "reads keys or logins",
        rf"\b(?:read|open|cat|print|copy|cp|show|send|include|load|collect|upload|tar|zip|scp|head|tail|grep|base64|less|get|see)\b[^\n]{{0,80}}{_KEYS}",
    ),
    _rule("names a place of keys or logins", _KEYS, grave=False),
    _rule(
        "sends secrets away",
        rf"\b{_SEND}\b[^.\n]{{0,80}}\b{_SECRETS}[^.\n]{{0,80}}(?:\bto\b|https?:|\bat\b)"
        rf"|\b{_SECRETS}[^.\n]{{0,60}}\b(?:and|then)\s+{_SEND}\b",
        within=3,
    ),
    _rule(
        "looks for secrets",
        rf"\b(?:read|print|cat|dump|collect|gather|find|search\s+for|extract|copy|list|include)\b[^.\n]{{0,50}}\b{_SECRETS}",
        grave=False,
    ),
    _rule(
        "sends the environment away",
        rf"\b(?:printenv|env|set|export\s+-p)\s*\|[^\n]{{0,80}}\b(?:{_FETCH}|nc|ncat|netcat)\b",
    ),
    _rule(
        "sends a file away",
        rf"\b{_FETCH}\b[^\n]{{0,200}}(?:--data(?:-binary|-raw|-urlencode)?|-d|-f|-t|--upload-file|--post-file=?)\s*[\"']?@?[~/.$][^\n]*",
        grave=False,
    ),
    _rule(
        "sends something away in the address of a picture",
        r"!\[[^\]\n]*\]\(\s*https?://[^)\s]*[?&/=][^)\s]*(?:\{\{?|\$\{?|%7b|<)[^)\s]*\)|!\[[^\]\n]*\]\(\s*https?://[^)\n]*(?:secret|token|key|data|content|answer)\s*=\s*\[",
    ),
    _rule(
        "decodes something and runs it",
        rf"\bbase64\s+(?:-d|-di|--decode)\b[^\n]{{0,200}}\|\s*(?:{_SHELL})|\b(?:{_SHELL})[^\n]{{0,40}}\$\([^\n)]{{0,300}}base64\s+(?:-d|--decode)",
    ),
    _rule(
        "decodes something and runs it",
        rf"\b(?:exec|eval|compile|os\.system|loads)\s*\([^\n]{{0,200}}\b{_BACK}\b|\bxxd\s+-r\b[^\n]{{0,100}}\|\s*(?:{_SHELL})",
    ),
    _rule(
        "tells to follow what is encoded",
        r"\b(?:decode|decrypt|deobfuscate|unscramble)\b[^.\n]{0,120}\b(?:and|then)\s+(?:then\s+)?(?:follow|run|execute|obey|do|eval)\b",
    ),
    _rule(
        "imitates the marks of a conversation",
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext)\|>|\[/?inst\]|<</?sys>>|</?system-reminder>|<(?:antml:)?function_calls>",
    ),
    _rule(
        "has the marks of a conversation",
        r"</?(?:system|assistant|human|tool_result|tool_use)>|^[ \t]*(?:system|assistant|human)[ \t]*:[ \t]*\S",
        grave=False,
    ),
    _rule(
        "makes itself at home where it is run again",
        r"\b(?:append|add|write|insert|edit|change|modify|install|put|echo|cat)\b[^\n]{0,120}(?:~/\.(?:bashrc|zshrc|profile|bash_profile)|\bcrontab\b|authorized_keys|\.claude/settings|\.git/hooks|/etc/cron)",
    ),
    _rule(
        "changes the standing orders of an assistant",
        r"\b(?:append|add|write|insert|edit|change|modify)\b[^.\n]{0,80}\b(?:claude|agents|gemini)\.md\b",
        grave=False,
    ),
    _rule(
        "turns off what protects the user",
        r"--dangerously[\w-]+|--yolo\b|\bbypasspermissions\b|\b(?:disable|turn\s+off|skip|circumvent)\s+(?:the\s+|all\s+|any\s+)?(?:sandbox(?:ing)?|permission\s+(?:checks?|prompts?)|safety\s+checks?|guardian|hooks)\b|--no-verify\b",
        grave=False,
    ),
    _rule(
        "destroys files outside of the project",
        r"\brm\s+-[a-z]*r[a-z]*f?[a-z]*\s+(?:--no-preserve-root\s+)?(?:/(?:\s|$|\*)|~(?:/\s|/?\s|/?$)|\$home\b)",
    ),
)
"""In the order in which they are tried; of a line, each kind is told once."""

ADDRESSED = re.compile(
    r"(?<![/.])\b(?:assistants?|claude|gpt|gemini|copilot|codex|cursor|agents?|models?|llms?|ai)\b(?!\.\w)"
    r"|\byou\s+(?:must|should|shall|are|will|need|have)\b|\binstructions?\b|\bsystem\s+prompt\b|\buser\b"
    r"|\b(?:always|never|silently|secretly)\s+\w+",
)
"""What a comment says that speaks to an assistant, and not to whoever edits the page."""
