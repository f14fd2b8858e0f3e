{{/* What the pods of the exporter and of `helm test` have in common: (list $ SETTINGS MOUNTS). */}}
{{- define "metaaccess-exporter.container" -}}
{{- $root := index . 0 -}}
{{- $mounts := index . 2 -}}
image: {{ include "metaaccess-exporter.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
env:
  {{- include "metaaccess-exporter.env" (list $root (index . 1)) | nindent 2 }}
{{- with $root.Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $root.Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml $root.Values.resources | nindent 2 }}
{{- with concat $mounts (include "metaaccess-exporter.fileMounts" $root | fromYamlArray) $root.Values.extraVolumeMounts }}
volumeMounts:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The same of the pods themselves. */}}
{{- define "metaaccess-exporter.podSpec" -}}
serviceAccountName: {{ include "metaaccess-exporter.serviceAccountName" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The spreads, each with the pod's selector where it has none. */}}
{{- define "metaaccess-exporter.spread" -}}
{{- $selector := dict "matchLabels" (include "metaaccess-exporter.selectorLabels" . | fromYaml) -}}
{{- $spreads := list -}}
{{- range .Values.topologySpreadConstraints -}}
{{- $spreads = append $spreads (hasKey . "labelSelector" | ternary . (merge (deepCopy .) (dict "labelSelector" $selector))) -}}
{{- end -}}
{{- toYaml $spreads -}}
{{- end -}}

{{/* How a probe asks: (list $ PATH). A web configuration may ask for certificates or passwords, which the kubelet has
     not; the program's own healthcheck copes with all of it. */}}
{{- define "metaaccess-exporter.probe" -}}
{{- if include "metaaccess-exporter.hasWebConfig" (first .) -}}
exec:
  command: [/metaaccess-exporter, healthcheck]
{{- else -}}
httpGet:
  path: {{ last . }}
  port: metrics
{{- end -}}
{{- end -}}
