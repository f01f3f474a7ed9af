# Logistic regression by stochastic gradient descent, in awk: any language will do.
# The configuration is one line of JSON on standard input; the flowers are in a file.
# After each epoch it prints one line of JSON: the loss on the flowers it does not train on.
BEGIN {
    FS = ","
    getline config < "-"
    rate = knob("rate"); decay = knob("decay"); penalty = knob("penalty"); batch = knob("batch")
}
FNR == 1 { next }
FNR % 10 < 7 { x1[n] = ($1 - 4.9) / 0.8; x2[n] = ($2 - 1.7) / 0.4; y[n++] = $3; next }
{ v1[m] = ($1 - 4.9) / 0.8; v2[m] = ($2 - 1.7) / 0.4; w[m++] = $3 }
END {
    for (epoch = 1; epoch <= ENVIRON["RAYTUNER_STEPS"]; epoch++) {
        step = rate / (1 + decay * (epoch - 1))
        for (i = 0; i < n; i++) {
            error = chance(x1[i], x2[i]) - y[i]
            g0 += error; g1 += error * x1[i]; g2 += error * x2[i]
            if ((i + 1) % batch == 0 || i == n - 1) {
                b0 -= step * g0 / batch
                b1 -= step * (g1 / batch + penalty * b1)
                b2 -= step * (g2 / batch + penalty * b2)
                g0 = g1 = g2 = 0
            }
        }
        loss = right = 0
        for (i = 0; i < m; i++) {
            p = chance(v1[i], v2[i])
            loss -= log(w[i] ? p : 1 - p) / m
            right += ((p > 0.5) == w[i]) / m
        }
        printf "{\"step\": %d, \"loss\": %.6f, \"accuracy\": %.4f}\n", epoch, loss, right
        fflush()
    }
}
function chance(a, b,   p) {
    p = 1 / (1 + exp(-(b0 + b1 * a + b2 * b)))
    return p < 1e-9 ? 1e-9 : p > 1 - 1e-9 ? 1 - 1e-9 : p
}
function knob(name,   found) {
    if (!match(config, "\"" name "\": [-+.0-9eE]+")) { print "no " name > "/dev/stderr"; exit 2 }
    found = substr(config, RSTART, RLENGTH)
    sub(/.*: /, "", found)
    return found + 0
}
