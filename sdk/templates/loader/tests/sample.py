@R.function
def main(x: R.Tensor(("n", 6), "float32")):
    a = R.abs(x)
    b = R.negative(a)
    c = R.nn.relu(b)
    return c
