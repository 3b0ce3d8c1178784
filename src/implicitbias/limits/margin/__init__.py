"""Classification: max-margin points in l2, l1 and l_{2/L}, real and complex, faces and ties."""
