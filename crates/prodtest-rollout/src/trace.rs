//! From an object of the cluster to the line of the chart or values file that made it so.
