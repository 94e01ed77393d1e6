# Sourced by hooks/run and bin/stretto: where to look for a Python, the likeliest place first. Starts nothing.

pythons() { # one name or path a line; the sourcing script tries each in turn
    printf '%s\n' python3.14 python3.13 python3.12 python3.11 python3 python
    # Assistants that a desktop starts have a short PATH, and a newer Python beside the system's old one.
    for folder in "${HOME:-/nonexistent}/.local/bin" /opt/homebrew/bin /usr/local/bin; do
        for name in python3.14 python3.13 python3.12 python3.11 python3; do
            [ -x "$folder/$name" ] && printf '%s\n' "$folder/$name"
        done
    done
    for path in "${HOME:-/nonexistent}"/.local/share/uv/python/cpython-3.1[1-9]*/bin/python3; do
        [ -x "$path" ] && printf '%s\n' "$path"
    done
    :
}
